// What TypeScript's compiler calls undefined in programs that come on standard input, as JSON: a
// list of texts; the first argument is the extension they would have as files. Answers with a list
// a program of [line, name]; a line that can't be parsed is [line, ""]. Modules other than node's
// own types aren't looked for.
//
// Each program is a module that is compiled alone, but the library, which takes most of the time,
// is read once.

const fs = require('fs');
const ts = require('typescript');

// Beside "Cannot find name" in all its forms: no value for a shorthand property, and names that are
// types where a value stands, or the other way round.
const MESSAGE = /^(Cannot find (name|namespace) |No value exists in scope for the shorthand )/;
const OTHER_SPACE = new Set([2585, 2693, 2708, 2709, 2749]);
// An import or export within a function or block: the parser leaves these to the checker.
const MISPLACED = new Set([1184, 1231, 1232, 1233, 1234, 1235, 1258, 1473, 1474]);

const extension = process.argv[2];
const options = {
    allowJs: true,
    checkJs: true,
    lib: ['lib.esnext.d.ts'],
    module: ts.ModuleKind.ESNext,
    moduleDetection: ts.ModuleDetectionKind.Force,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    noEmit: true,
    noResolve: true,
    skipLibCheck: true,
    strict: false,
    target: ts.ScriptTarget.ESNext,
};

// The library and the types of node, parsed once.
const plain = ts.createCompilerHost(options);
const library = new Map();
function source(path, version) {
    if (!library.has(path)) {
        library.set(path, plain.getSourceFile(path, version));
    }
    return library.get(path);
}

const NODE = (() => {
    const folder = require.resolve('@types/node/package.json').replace(/package\.json$/, '');
    return ts.sys.readDirectory(folder, ['.d.ts'], ['**/ts5.*/**', '**/ts4.*/**'], ['**/*']);
})();

function undefinedIn(text) {
    const name = `/program.${extension}`;
    const program = ts.createSourceFile(name, text, options.target, true);
    const host = {
        ...plain,
        fileExists: path => path === name || plain.fileExists(path),
        getSourceFile: (path, version) => path === name ? program : source(path, version),
    };
    const compiled = ts.createProgram([name, ...NODE], { ...options, types: [] }, host, previous);
    previous = compiled;
    const found = [];
    const line = at => program.getLineAndCharacterOfPosition(at).line + 1;
    for (const { start } of compiled.getSyntacticDiagnostics(program)) {
        found.push([line(start), '']);
    }
    for (const { code, messageText, start, length } of compiled.getSemanticDiagnostics(program)) {
        if (MISPLACED.has(code)) {
            found.push([line(start), '']);
        }
        const message = ts.flattenDiagnosticMessageText(messageText, '\n');
        if ((MESSAGE.test(message) || OTHER_SPACE.has(code)) && !isInComment(program, start)) {
            found.push([line(start), text.slice(start, start + length)]);
        }
    }
    return found;
}

// Types in the comments of JavaScript are checked, too, but they are no code.
function isInComment(program, at) {
    const token = ts.getTokenAtPosition(program, at);
    return at < token.getStart(program) || ts.findAncestor(token, ts.isJSDoc) !== undefined;
}

let previous;
const texts = JSON.parse(fs.readFileSync(0, 'utf8'));
console.log(JSON.stringify(texts.map(undefinedIn)));
