// One session on one token, by PKCS#11 2.40: what the process of a token does. Every call blocks; nobody but that process makes them.
import { createRequire } from 'node:module';
import type * as Pkcs11 from 'pkcs11js';
import { HMAC_ID_MESSAGE, hmacKekId, KEK_ID } from '../../format/kek.js';
import type { TokenFault, TokenKey, TokenPlace } from './messages.js';

const KEY_BYTES = 32;
const OBJECTS_AT_ONCE = 64;
/** What a key is called until its id is known: one that a crash left so wraps nothing and may be destroyed. */
const UNFINISHED = 'filmroom unfinished';

export class TokenError extends Error {
  readonly fault: TokenFault;

  constructor(fault: TokenFault, message: string) {
    super(message);
    this.fault = fault;
  }
}

/** The library is an optional dependency: only who has configured a token needs it. */
function library(): typeof Pkcs11 {
  try {
    return createRequire(import.meta.url)('pkcs11js') as typeof Pkcs11;
  } catch (error) {
    throw new TokenError('away', `the package pkcs11js is not installed or was not built (${textOf(error)})`);
  }
}

export class TokenSession {
  readonly #api: typeof Pkcs11;
  readonly #p11: Pkcs11.PKCS11;
  readonly #session: Pkcs11.Handle;
  readonly #handles = new Map<string, Pkcs11.Handle>();

  private constructor(api: typeof Pkcs11, p11: Pkcs11.PKCS11, session: Pkcs11.Handle) {
    this.#api = api;
    this.#p11 = p11;
    this.#session = session;
  }

  /** Loads the module, finds the token by its label and logs in. */
  static open({ module, token, pin }: TokenPlace): TokenSession {
    const api = library();
    const p11 = new api.PKCS11();
    try {
      p11.load(module);
      p11.C_Initialize();
    } catch (error) {
      throw new TokenError('away', `the module ${module} cannot be loaded (${textOf(error)})`);
    }
    const slot = p11.C_GetSlotList(true).find((one) => p11.C_GetTokenInfo(one).label.trimEnd() === token);
    if (slot === undefined) throw new TokenError('away', `${module} shows no token with the label ${token}`);
    const session = p11.C_OpenSession(slot, api.CKF_SERIAL_SESSION | api.CKF_RW_SESSION);
    try {
      p11.C_Login(session, api.CKU_USER, pin);
    } catch (error) {
      throw loginFault(token, textOf(error));
    }
    return new TokenSession(api, p11, session);
  }

  /** HMAC-SHA-256 under the key `id`. */
  hmac(id: string, message: Uint8Array): Uint8Array {
    return this.#sign(this.#keyOf(id), message);
  }

  /** Makes a key that cannot be read out of the token; its id follows from it. */
  draw(label: string): string {
    const api = this.#api;
    const handle = this.#p11.C_GenerateKey(this.#session, { mechanism: api.CKM_GENERIC_SECRET_KEY_GEN }, [
      { type: api.CKA_CLASS, value: api.CKO_SECRET_KEY },
      { type: api.CKA_KEY_TYPE, value: api.CKK_GENERIC_SECRET },
      { type: api.CKA_VALUE_LEN, value: KEY_BYTES },
      { type: api.CKA_TOKEN, value: true },
      { type: api.CKA_PRIVATE, value: true },
      { type: api.CKA_SENSITIVE, value: true },
      { type: api.CKA_EXTRACTABLE, value: false },
      { type: api.CKA_SIGN, value: true },
      { type: api.CKA_LABEL, value: UNFINISHED },
    ]);
    const id = hmacKekId(this.#sign(handle, HMAC_ID_MESSAGE));
    this.#p11.C_SetAttributeValue(this.#session, handle, [
      { type: api.CKA_ID, value: Buffer.from(id, 'latin1') },
      { type: api.CKA_LABEL, value: label },
    ]);
    this.#handles.set(id, handle);
    return id;
  }

  /** The keys that were drawn here for Filmroom. */
  list(): readonly TokenKey[] {
    const api = this.#api;
    const keys: TokenKey[] = [];
    for (const handle of this.#find([])) {
      const [id, label] = this.#p11.C_GetAttributeValue(this.#session, handle, [
        { type: api.CKA_ID },
        { type: api.CKA_LABEL },
      ]);
      const name = bytesOf(id).toString('latin1');
      if (KEK_ID.test(name)) keys.push({ id: name, label: bytesOf(label).toString('utf8') });
    }
    return keys;
  }

  #keyOf(id: string): Pkcs11.Handle {
    const known = this.#handles.get(id);
    if (known !== undefined) return known;
    const [handle] = this.#find([{ type: this.#api.CKA_ID, value: Buffer.from(id, 'latin1') }]);
    if (handle === undefined) throw new TokenError('no-key', `key ${id} is not on the token`);
    // Somebody may have put another key under this id: what it would wrap could not be opened anywhere else.
    const found = hmacKekId(this.#sign(handle, HMAC_ID_MESSAGE));
    if (found !== id) throw new TokenError('no-key', `the token holds ${found} under the id of key ${id}`);
    this.#handles.set(id, handle);
    return handle;
  }

  #find(template: Pkcs11.Template): Pkcs11.Handle[] {
    const api = this.#api;
    this.#p11.C_FindObjectsInit(this.#session, [{ type: api.CKA_CLASS, value: api.CKO_SECRET_KEY }, ...template]);
    const found: Pkcs11.Handle[] = [];
    try {
      for (;;) {
        const some = this.#p11.C_FindObjects(this.#session, OBJECTS_AT_ONCE);
        found.push(...some);
        if (some.length < OBJECTS_AT_ONCE) return found;
      }
    } finally {
      this.#p11.C_FindObjectsFinal(this.#session);
    }
  }

  #sign(key: Pkcs11.Handle, message: Uint8Array): Uint8Array {
    this.#p11.C_SignInit(this.#session, { mechanism: this.#api.CKM_SHA256_HMAC }, key);
    const mac = this.#p11.C_Sign(this.#session, Buffer.from(message), Buffer.alloc(KEY_BYTES));
    if (mac.length !== KEY_BYTES) throw new TokenError('away', `the token gave an HMAC of ${mac.length} bytes`);
    return Uint8Array.from(mac);
  }
}

function bytesOf(attribute: Pkcs11.AttributeResult | undefined): Buffer {
  const value = attribute?.value;
  return Buffer.isBuffer(value) ? value : Buffer.alloc(0);
}

/** PIN faults are told from all others: a second try with a wrong PIN may lock the token. */
function loginFault(token: string, reason: string): TokenError {
  if (reason === 'CKR_PIN_LOCKED')
    return new TokenError('refused', `token ${token} has locked its PIN (${reason}): have it unlocked`);
  if (reason.startsWith('CKR_PIN_'))
    return new TokenError(
      'refused',
      `token ${token} refuses the PIN (${reason}): cold.pkcs11.pin must be its user PIN`,
    );
  return new TokenError('away', `token ${token} does not let us log in (${reason})`);
}

/** `CKR_…` of a PKCS#11 failure; never a value that was passed. */
export function textOf(error: unknown): string {
  return error instanceof Error ? (error.message.split('\n')[0] ?? '') : 'unexpected';
}
