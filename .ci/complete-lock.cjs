// Completes package-lock.json after `npm install PACKAGE` against a registry that lacks some platforms' binaries: npm then leaves
// them out of the lock, and `npm ci` refuses it everywhere. What is missing is optional, and its version is fixed by its parent.
//   node .ci/complete-lock.cjs
const { readFileSync, writeFileSync } = require('node:fs');

const FILE = 'package-lock.json';
const OS = /(?:^|[-/])(android|darwin|freebsd|linux|openharmony|win32)(?:-|$)/;
const CPU = /-(arm64|arm|ia32|ppc64|riscv64|s390x|x64)(?:-|$)/;
const LIBC = { gnu: 'glibc', gnueabihf: 'glibc', musl: 'musl', musleabihf: 'musl' };

const lock = JSON.parse(readFileSync(FILE, 'utf8'));
let added = 0;
for (const [parent, { optionalDependencies, dev }] of Object.entries(lock.packages)) {
  if (parent === '') continue;
  for (const [name, version] of Object.entries(optionalDependencies ?? {})) {
    const path = `node_modules/${name}`;
    if (lock.packages[path] !== undefined || lock.packages[`${parent}/${path}`] !== undefined) continue;
    const os = OS.exec(name)?.[1];
    const cpu = CPU.exec(name)?.[1];
    if (os === undefined || cpu === undefined) throw new Error(`${name} of ${parent}: of which platform?`);
    const libc = os === 'linux' ? LIBC[name.split('-').at(-1)] : undefined;
    lock.packages[path] = {
      version,
      cpu: [cpu],
      ...(dev === true ? { dev } : {}),
      ...(libc === undefined ? {} : { libc: [libc] }),
      optional: true,
      os: [os],
    };
    added += 1;
  }
}
lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => a.localeCompare(b, 'en')));
writeFileSync(FILE, `${JSON.stringify(lock, null, 2)}\n`);
process.stdout.write(`${added} platform packages added to ${FILE}\n`);
