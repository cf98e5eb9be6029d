// What piscina loads in each thread. CommonJS on purpose: piscina first requires its file, and a thread that is stopped while
// Node 20 requires an ES module takes the whole process with it ("IsGraphAsync must be used on an instantiated module").
// An import that is cut off ends quietly.
const tasks = import('./main.js');
// A failure is met by the first task.
tasks.catch(() => undefined);

type Task = (task: never) => Promise<unknown>;

const entry: Record<string, Task> = {
  ingest: async (task) => (await tasks).ingest(task),
  scanFile: async (task) => (await tasks).scanFile(task),
  scanKept: async (task) => (await tasks).scanKept(task),
  seal: async (task) => (await tasks).seal(task),
  open: async (task) => (await tasks).open(task),
  hash: async (task) => (await tasks).hash(task),
};

export = entry;
