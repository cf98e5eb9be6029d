// PUT of one object. A SHA-256 that is known already goes into the signature as it is: the server
// checks the body against it, and nothing is hashed a second time here.
import type { PutObjectCommand } from '@aws-sdk/client-s3';
import { hasCode } from '../../core/errors.js';
import type { ObjectKey, Sha256 } from '../../core/ids.js';
import type { PutOptions } from '../object-store.js';
import type { S3Connection } from './s3-connection.js';
import { getObject } from './s3-get.js';
import { lockOf } from './s3-lock.js';

/** Stores `body` under `key`; CONFLICT with `ifAbsent` when it exists, CORRUPT when the body does not match `sha256`. */
export async function putObject(
  connection: S3Connection,
  key: ObjectKey,
  body: Uint8Array,
  options: PutOptions,
): Promise<void> {
  const conditional = options.ifAbsent === true && connection.provider.capabilities.conditionalPut;
  const lock = connection.objectLock;
  let attempts = 0;
  try {
    await connection.run(
      `put ${key}`,
      { signal: options.signal, bytes: body.byteLength },
      async ({ sdk, client, signal, attempt }) => {
        attempts = attempt;
        const command = new sdk.PutObjectCommand({
          Bucket: connection.bucket,
          Key: connection.keyOf(key),
          Body: Buffer.from(body.buffer, body.byteOffset, body.byteLength),
          ContentLength: body.byteLength,
          ContentType: 'application/octet-stream',
          ...(lock === null ? {} : lockOf(lock, connection.nowMs(), body)),
          ...(conditional ? { IfNoneMatch: '*' } : {}),
        });
        if (options.sha256 !== undefined) signWith(command, options.sha256);
        await client.send(command, { abortSignal: signal });
      },
    );
  } catch (error) {
    // A first attempt that was cut off may have been applied: then the one who was there first is this call.
    if (!hasCode(error, 'CONFLICT') || attempts === 1) throw error;
    const stored = await getObject(connection, key, undefined, options.signal);
    if (Buffer.compare(stored, body) !== 0) throw error;
  }
}

function signWith(command: PutObjectCommand, sha256: Sha256): void {
  command.middlewareStack.add(
    (next) => (args) => {
      const request: unknown = args.request;
      if (typeof request === 'object' && request !== null && 'headers' in request) {
        Object.assign(request.headers as object, { 'x-amz-content-sha256': sha256 });
      }
      return next(args);
    },
    { step: 'build', name: 'knownPayloadHash' },
  );
}
