// Keys whose secrets a token holds and never gives out (docs/format.md 3.2, kind `h`). Keys that have their secret in the keyring are
// served beside them, so that an archive moves onto a token, or off it, by one rotation.
import { ArchiveError, invariant } from '../../core/errors.js';
import { KEYRING_ALONE, type Kek, type KeyProvider, wrapInputMessage } from '../../format/kek.js';
import type { TokenPlace } from './messages.js';
import { TokenClient, type TokenTimes } from './token-client.js';

const TIMES: TokenTimes = { callMs: 10_000, restMs: 2_000 };
/** Of our labels: `filmroom <archive id> <created>`. */
const LABEL = /^filmroom ([0-9a-f-]{36}) (\S+)$/;

export interface TokenKeysOptions extends TokenPlace {
  /** Where new keys are drawn: `keyring` for an archive that leaves its token. */
  readonly newKeys: 'token' | 'keyring';
}

export interface TokenKeys extends KeyProvider {
  /** The keys of `archiveId` that are on the token, oldest first. UNAVAILABLE when it does not answer. */
  find(archiveId: string | null): Promise<readonly (Kek & { readonly archiveId: string })[]>;
  /** Ends the token's process. */
  close(): void;
}

export function openTokenKeys({ newKeys, ...place }: TokenKeysOptions, times: TokenTimes = TIMES): TokenKeys {
  const client = new TokenClient(place, times);
  return {
    async draw(options) {
      if (newKeys === 'keyring') return KEYRING_ALONE.draw(options);
      const createdAt = new Date(options.clock.nowMs()).toISOString();
      const answer = await client.call({ kind: 'draw', label: `filmroom ${options.archiveId} ${createdAt}` });
      invariant(answer.kind === 'drawn', 'a drawn key has an id');
      return { id: answer.id, createdAt, secret: null };
    },

    async wrapInput(kek, wrapSalt) {
      if (kek.secret !== null) return KEYRING_ALONE.wrapInput(kek, wrapSalt);
      const answer = await client.call({ kind: 'hmac', id: kek.id, message: wrapInputMessage(wrapSalt) });
      invariant(answer.kind === 'hmac', 'an HMAC is asked for');
      return answer.mac;
    },

    async find(archiveId) {
      const answer = await client.call({ kind: 'list' });
      invariant(answer.kind === 'keys', 'keys are asked for');
      return answer.keys
        .flatMap(({ id, label }) => {
          const [, archive = '', createdAt = ''] = LABEL.exec(label) ?? [];
          return archive === '' || (archiveId ?? archive) !== archive
            ? []
            : [{ id, createdAt, secret: null, archiveId: archive }];
        })
        .sort((a, b) => (a.createdAt < b.createdAt ? -1 : 1));
    },

    get fault() {
      return client.fault;
    },

    close: () => client.close(),
  };
}

/** Each key of the keyring that only a token can hold and that this one lacks is WRONG_KEY, naming it. */
export async function mustHold(provider: TokenKeys, keys: readonly Kek[], archiveId: string): Promise<void> {
  const there = new Set((await provider.find(archiveId)).map(({ id }) => id));
  const lacking = keys.filter(({ id, secret }) => secret === null && !there.has(id)).map(({ id }) => id);
  if (lacking.length > 0)
    throw new ArchiveError('WRONG_KEY', `the token lacks ${lacking.join(', ')} of archive ${archiveId}`);
}
