// A token of Debian's softhsm2: a PKCS#11 module as hospitals have one of their HSM, with its objects in a folder of its own.
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const LIBRARY = '/usr/lib/softhsm/libsofthsm2.so';
const PIN = '135790';

/** Why no token can be made here, or null. Suites that need one are skipped by this name. */
export const NO_SOFT_HSM =
  existsSync(LIBRARY) && spawnSync('softhsm2-util', ['--version']).error === undefined
    ? null
    : 'needs softhsm2 (apt-get install softhsm2)';

export class SoftHsm {
  readonly folder: string;
  readonly place: { readonly module: string; readonly token: string; readonly pin: string };
  readonly #conf: string;

  private constructor(folder: string) {
    this.folder = folder;
    this.#conf = join(folder, 'softhsm2.conf');
    // By a link, so that a test can take the module away and bring it back.
    this.place = { module: join(folder, 'module.so'), token: 'filmroom test', pin: PIN };
  }

  /** Makes one; from then on every process that is started finds it, by the environment. */
  static create(): SoftHsm {
    const hsm = new SoftHsm(mkdtempSync(join(tmpdir(), 'filmroom-hsm-')));
    mkdirSync(join(hsm.folder, 'tokens'));
    writeFileSync(hsm.#conf, `directories.tokendir = ${join(hsm.folder, 'tokens')}\nlog.level = ERROR\n`);
    process.env['SOFTHSM2_CONF'] = hsm.#conf;
    symlinkSync(LIBRARY, hsm.place.module);
    const init = ['--init-token', '--free', '--label', hsm.place.token, '--pin', PIN, '--so-pin', '24681012'];
    const { status, stderr } = spawnSync('softhsm2-util', init, { encoding: 'utf8' });
    if (status !== 0) throw new Error(`softhsm2-util: ${stderr}`);
    return hsm;
  }

  get environment(): Readonly<Record<string, string>> {
    return { SOFTHSM2_CONF: this.#conf };
  }

  /** Puts a key with a known secret on the token, as a key ceremony would. */
  import(secretHex: string, id: string, label: string): void {
    const program = `
      const p = require('pkcs11js'); const p11 = new p.PKCS11(); p11.load(${JSON.stringify(LIBRARY)}); p11.C_Initialize();
      const slot = p11.C_GetSlotList(true).find((s) => p11.C_GetTokenInfo(s).label.trimEnd() === ${JSON.stringify(this.place.token)});
      const s = p11.C_OpenSession(slot, p.CKF_SERIAL_SESSION | p.CKF_RW_SESSION); p11.C_Login(s, p.CKU_USER, ${JSON.stringify(PIN)});
      p11.C_CreateObject(s, [
        { type: p.CKA_CLASS, value: p.CKO_SECRET_KEY }, { type: p.CKA_KEY_TYPE, value: p.CKK_GENERIC_SECRET },
        { type: p.CKA_VALUE, value: Buffer.from(${JSON.stringify(secretHex)}, 'hex') }, { type: p.CKA_TOKEN, value: true },
        { type: p.CKA_PRIVATE, value: true }, { type: p.CKA_SENSITIVE, value: true }, { type: p.CKA_EXTRACTABLE, value: false },
        { type: p.CKA_SIGN, value: true }, { type: p.CKA_ID, value: Buffer.from(${JSON.stringify(id)}) },
        { type: p.CKA_LABEL, value: ${JSON.stringify(label)} } ]);`;
    this.#run(program);
  }

  /** What the token says when it is asked for the secret of a key: the name of its refusal, or the secret. */
  readSecret(id: string): string {
    return this.#run(`
      const p = require('pkcs11js'); const p11 = new p.PKCS11(); p11.load(${JSON.stringify(LIBRARY)}); p11.C_Initialize();
      const slot = p11.C_GetSlotList(true).find((s) => p11.C_GetTokenInfo(s).label.trimEnd() === ${JSON.stringify(this.place.token)});
      const s = p11.C_OpenSession(slot, p.CKF_SERIAL_SESSION); p11.C_Login(s, p.CKU_USER, ${JSON.stringify(PIN)});
      p11.C_FindObjectsInit(s, [{ type: p.CKA_ID, value: Buffer.from(${JSON.stringify(id)}) }]);
      const [key] = p11.C_FindObjects(s, 1); p11.C_FindObjectsFinal(s);
      if (key === undefined) console.log('no such key');
      else try { console.log(p11.C_GetAttributeValue(s, key, [{ type: p.CKA_VALUE }])[0].value.toString('hex')); }
      catch (error) { console.log(/CKR_\\w+/.exec(error.message)[0]); }`).trim();
  }

  #run(program: string): string {
    const { status, stdout, stderr } = spawnSync(process.execPath, ['-e', program], {
      encoding: 'utf8',
      env: { ...process.env, ...this.environment },
    });
    if (status !== 0) throw new Error(stderr);
    return stdout;
  }

  /** The module cannot be loaded any more: what is loaded already goes on. */
  takeModuleAway(): void {
    rmSync(this.place.module);
  }

  bringModuleBack(): void {
    symlinkSync(LIBRARY, this.place.module);
  }

  /** Whatever is on the token is gone, for those who look from now on. */
  takeTokenAway(): void {
    renameSync(join(this.folder, 'tokens'), join(this.folder, 'drawer'));
    mkdirSync(join(this.folder, 'tokens'));
  }

  bringTokenBack(): void {
    rmSync(join(this.folder, 'tokens'), { recursive: true });
    renameSync(join(this.folder, 'drawer'), join(this.folder, 'tokens'));
  }

  destroy(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Ids of the token processes that `pid` has started. */
export function tokenProcesses(pid = process.pid): readonly number[] {
  const ids = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
  return ids.filter((id) => {
    try {
      return readFileSync(`/proc/${id}/cmdline`, 'utf8').includes('token-process');
    } catch {
      return false;
    }
  });
}
