// Writes globals.txt: the names that node gives to every program. The committed ones are of
// node 20.
//
//     node globals.js > globals.txt

// What a CommonJS module has beside the globals, as parameters of the function around it.
const MODULE = ['__dirname', '__filename', 'exports', 'module', 'require'];

const names = [...Object.getOwnPropertyNames(globalThis), ...MODULE];
console.log(`# node ${process.versions.node}, by globals.js`);
console.log(names.filter(name => /^[\p{L}_$][\p{L}\d_$]*$/u.test(name)).sort().join('\n'));
