// sharp (libvips) as it is used here. The main thread must have loaded it before the first thread that renders comes, and keep it: a
// library that goes with the last thread that had it takes its handlers along (sharp's notes on worker threads). workers/pixel-pool.ts
// does, by way of animate.ts.
import sharp from 'sharp';

// One picture a thread, and none of them twice: libvips' own cache and threads would come on top of ours.
sharp.cache(false);
sharp.concurrency(1);

export { sharp };
