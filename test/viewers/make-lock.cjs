// Writes package-lock.json: each package that package.json names, in that exact version and with its hash, and none of what they
// depend on. @ohif/app is here for its built dist/, which needs nothing; its 1,500 packages would only be downloaded, and two
// of them are not on the registry at all, so that `npm install` cannot make this lock.
//   cd test/viewers && node make-lock.cjs
const { execFileSync } = require('node:child_process');
const { readFileSync, writeFileSync } = require('node:fs');
const path = require('node:path');

const { name, version, dependencies } = JSON.parse(readFileSync(path.join(__dirname, 'package.json'), 'utf8'));

function lockOf([dependency, wanted]) {
  const words = ['view', `${dependency}@${wanted}`, 'dist.integrity', 'license', '--json'];
  const found = JSON.parse(execFileSync('npm', words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));
  const entry = { version: wanted, integrity: found['dist.integrity'], license: found.license };
  return [`node_modules/${dependency}`, entry];
}

const packages = {
  '': { name, version, dependencies },
  ...Object.fromEntries(Object.entries(dependencies).map(lockOf)),
};
const lock = { name, version, lockfileVersion: 3, requires: true, packages };
writeFileSync(path.join(__dirname, 'package-lock.json'), `${JSON.stringify(lock, null, 2)}\n`);
