// What is known of the makers of S3 servers, as data: the one place where a vendor's name decides
// anything. docs/providers.md says where each line comes from.
import { ArchiveError } from '../../core/errors.js';
import type { ObjectStoreCapabilities } from '../object-store.js';

export const PROVIDER_NAMES = ['aws', 'ceph', 'minio', 'generic'] as const;
export type ProviderName = (typeof PROVIDER_NAMES)[number];

export interface Provider {
  readonly name: ProviderName;
  readonly capabilities: ObjectStoreCapabilities;
  /** `http://host/bucket/key` instead of `http://bucket.host/key`. Servers on an address or a plain host name need it. */
  readonly forcePathStyle: boolean;
  /** The region that is signed for when none is configured. */
  readonly region: string;
}

const PROVIDERS: Readonly<Record<ProviderName, Provider>> = {
  aws: {
    name: 'aws',
    capabilities: { conditionalPut: true, verifiesSha256: true },
    forcePathStyle: false,
    region: 'us-east-1',
  },
  ceph: {
    name: 'ceph',
    capabilities: { conditionalPut: true, verifiesSha256: true },
    forcePathStyle: true,
    region: 'default',
  },
  minio: {
    name: 'minio',
    capabilities: { conditionalPut: true, verifiesSha256: true },
    forcePathStyle: true,
    region: 'us-east-1',
  },
  // Nothing is believed of a server that nobody has tested: some ignore If-None-Match and overwrite, some ignore the hash.
  generic: {
    name: 'generic',
    capabilities: { conditionalPut: false, verifiesSha256: false },
    forcePathStyle: true,
    region: 'us-east-1',
  },
};

/** INVALID for a name that is not one of PROVIDER_NAMES. */
export function providerNamed(name: string): Provider {
  const known = PROVIDER_NAMES.find((candidate) => candidate === name);
  if (known === undefined) {
    throw new ArchiveError(
      'INVALID',
      `unknown S3 provider ${JSON.stringify(name)}: use one of ${PROVIDER_NAMES.join(', ')}`,
    );
  }
  return PROVIDERS[known];
}

/** The provider that an endpoint's host shows; AWS when there is none. Else generic, never a guess. */
export function providerOfEndpoint(endpoint: string | undefined): Provider {
  if (endpoint === undefined) return PROVIDERS.aws;
  const host = URL.canParse(endpoint) ? new URL(endpoint).hostname : '';
  return /(^|\.)amazonaws\.com(\.cn)?$/.test(host) ? PROVIDERS.aws : PROVIDERS.generic;
}
