#!/usr/bin/env node
// The `filmroom` command. CommonJS on purpose: Node loads an ES module's file through its pool of file threads, and the size of
// that pool cannot be changed once it has started. One hung disk must not take every thread (DESIGN section 9, bulkheads).
process.env['UV_THREADPOOL_SIZE'] ??= '64';
void import('./cli.js');
