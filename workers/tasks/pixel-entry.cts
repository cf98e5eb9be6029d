// What piscina loads in each thread of the pixel pool; CommonJS for the reason that entry.cts gives.
const tasks = import('./pixel-main.js');
// A failure is met by the first task.
tasks.catch(() => undefined);

type Task = (task: never) => Promise<unknown>;

const entry: Record<string, Task> = {
  transcode: async (task) => (await tasks).transcodePixels(task),
  render: async (task) => (await tasks).renderPixels(task),
};

export = entry;
