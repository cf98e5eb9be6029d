// From a replica's URL to the object store behind it. The one place where `file:` and `s3://` are told apart; the server, the
// doctor and `extract` all come through here.
import { existsSync } from 'node:fs';
import { createDirectoryStore } from '../tiering/cold/directory/create-directory-store.js';
import type { ObjectStore } from '../tiering/cold/object-store.js';
import { type ProbeReport, probeStore } from '../tiering/cold/probe/probe.js';
import type { S3StoreOptions } from '../tiering/cold/s3/s3-connection.js';
import { createS3Store } from '../tiering/cold/s3/s3-object-store.js';
import { createBucketProbe } from '../tiering/cold/s3/s3-probe.js';
import type { Clock, Random } from '../tiering/core/clock.js';
import { ArchiveError } from '../tiering/core/errors.js';
import type { ReplicaConfig } from './config.js';

export interface StoreEnvironment {
  readonly clock: Clock;
  readonly random: Random;
}

/** A replica's place and credentials, whatever its name. */
export type StorePlace = Omit<ReplicaConfig, 'name' | 'domain'>;

/**
 * Opens the store at `place`; nothing is asked of it yet.
 * @param create make the directory when it is missing. Only for a replica that never existed.
 */
export function openStore(place: StorePlace, create: boolean, environment: StoreEnvironment): ObjectStore {
  const { url } = place;
  if (url.startsWith('file:')) return createDirectoryStore({ root: url.slice('file:'.length), create, ...environment });
  return createS3Store(bucketOptions(place, environment));
}

/** Tries whether the store at `place` is fit to hold a replica. Rejects only where the place cannot be meant. */
export async function probePlace(place: StorePlace, environment: StoreEnvironment): Promise<ProbeReport> {
  const directory = place.url.startsWith('file:') ? place.url.slice('file:'.length) : null;
  // What is written into an unmounted disk's folder here is gone again at the end; a folder that is not there is not made.
  // Nothing that is only tried is locked.
  const { objectLock, ...unlocked } = place;
  const store = openStore(unlocked, directory !== null && existsSync(directory), environment);
  const bucket =
    directory === null ? createBucketProbe(bucketOptions(unlocked, environment), objectLock !== undefined) : null;
  try {
    return await probeStore(store, bucket, environment);
  } finally {
    await Promise.all([store.close(), bucket?.close()]);
  }
}

function bucketOptions(place: StorePlace, environment: StoreEnvironment): S3StoreOptions {
  const { url } = place;
  const match = /^s3:\/\/([^/]+)(?:\/(.*))?$/.exec(url);
  if (match?.[1] === undefined) {
    throw new ArchiveError('INVALID', 'a replica is file:DIRECTORY or s3://BUCKET/PREFIX');
  }
  const { url: _url, ...settings } = place;
  const given = Object.entries(settings).filter(([, value]) => value !== undefined);
  const options = Object.fromEntries(given) as Omit<S3StoreOptions, 'bucket' | 'prefix' | keyof StoreEnvironment>;
  return {
    ...options,
    bucket: match[1],
    prefix: (match[2] ?? '').replaceAll(/^\/+|\/+$/g, ''),
    ...environment,
  };
}
