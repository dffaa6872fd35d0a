// Writes values.txt or types.txt: the names that TypeScript's own declarations (lib.esnext, without
// the browser's) and those of node give to every program. Names of namespaces are in both. The
// committed ones are of typescript 5.9 and @types/node 20.
//
//     npm install typescript@5 @types/node@20
//     node globals.cjs values > values.txt
//     node globals.cjs types > types.txt

const ts = require('typescript');

const options = { lib: ['lib.esnext.d.ts'], target: ts.ScriptTarget.ESNext, types: ['node'] };
const host = ts.createCompilerHost(options);
host.getSourceFile = (read => (path, ...rest) => path === 'empty.ts'
    ? ts.createSourceFile(path, '', options.target) : read(path, ...rest))(host.getSourceFile);
const program = ts.createProgram(['empty.ts'], options, host);
const checker = program.getTypeChecker();
const kinds = {
    values: ts.SymbolFlags.Value | ts.SymbolFlags.Namespace | ts.SymbolFlags.Alias,
    types: ts.SymbolFlags.Type | ts.SymbolFlags.Namespace | ts.SymbolFlags.Alias,
};
const found = checker.getSymbolsInScope(program.getSourceFile('empty.ts'), kinds[process.argv[2]]);
const names = new Set(found.map(symbol => symbol.name).filter(name => /^[\w$]+$/.test(name)));
const node = require('@types/node/package.json').version;
console.log(`# typescript ${ts.version} and @types/node ${node}, by globals.cjs`);
console.log([...names].sort().join('\n'));
