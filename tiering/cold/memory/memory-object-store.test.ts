// The reference model passes the contract that it is the model of.
import { describeObjectStore } from '../../../test/contract/object-store.js';
import { MemoryObjectStore } from './memory-object-store.js';

describeObjectStore('memory', async () => ({ store: new MemoryObjectStore(), dispose: async () => undefined }));
