#!/usr/bin/env node
// The `filmroom` command. CommonJS on purpose: Node loads an ES module's file through its pool of file threads, and the size of
// that pool cannot be changed once it has started. One hung disk must not take every thread (DESIGN section 9, bulkheads).
import v8 = require('node:v8');

process.env['UV_THREADPOOL_SIZE'] ??= '64';
// Its warning about Node 20 is for those who build Filmroom, whose lock file pins the SDK; who runs it can do nothing about it.
process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';
// The heap of objects is small (30 MiB), what passes through in buffers is not, and V8 counts both when it decides to collect: by its own
// factor it did so for every 12 MiB that were copied, up to a quarter of the main thread's time.
v8.setFlagsFromString('--heap-growing-percent=150');
void import('./cli.js');
