// The operator's page at `/`: the archive's state, read from /admin/api/status by the page itself. It holds no DICOM value and
// no token; a token that is asked for stays in the browser's session storage.

export const PAGE_HTML = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Filmroom</title>
<link rel="stylesheet" href="/console.css">
<script type="module" src="/console.js"></script>
</head>
<body>
<h1>Filmroom</h1>
<p id="state" role="status">Loading</p>
<form id="sign-in" hidden>
  <label>Token <input id="token" type="password" autocomplete="current-password"></label> <button>Sign in</button>
</form>
<main id="tables"></main>
<footer><a href="/admin/api/openapi.json">Admin API</a> <a href="/metrics">Metrics</a> <a href="/readyz">Ready</a></footer>
</body>
</html>
`;

export const PAGE_CSS = `
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1b1f24; background: #fff; }
table { border-collapse: collapse; width: 100%; margin: 0 0 2rem; }
caption { text-align: left; font-weight: 600; padding: .5rem 0; }
th, td { text-align: left; padding: .3rem .75rem .3rem 0; border-bottom: 1px solid #d8dee4; font-variant-numeric: tabular-nums; }
.bad { color: #a40e26; font-weight: 600; }
footer a { margin-right: 1rem; }
@media (prefers-color-scheme: dark) { body { color: #e6edf3; background: #0d1117; } th, td { border-color: #30363d; } .bad { color: #ff7b72; } a { color: #79c0ff; } }
`;

export const PAGE_SCRIPT = `
const state = document.getElementById('state');
const tables = document.getElementById('tables');
const form = document.getElementById('sign-in');
const bytes = (n) => {
  if (n === null) return 'unknown';
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  let at = 0;
  while (n >= 1024 && at < units.length - 1) { n /= 1024; at += 1; }
  return (at === 0 ? n : n.toFixed(1)) + ' ' + units[at];
};
const table = (caption, head, rows) => {
  const made = document.createElement('table');
  made.createCaption().textContent = caption;
  const top = made.createTHead().insertRow();
  for (const text of head) { const th = document.createElement('th'); th.scope = 'col'; th.textContent = text; top.append(th); }
  const body = made.createTBody();
  for (const cells of rows) {
    const row = body.insertRow();
    for (const cell of cells) {
      const td = row.insertCell();
      td.textContent = String(cell.bad ?? cell);
      if (cell.bad !== undefined) td.className = 'bad';
    }
  }
  return made;
};
const flag = (text, good) => (text === good ? text : { bad: text });
function show(s) {
  state.textContent = 'New instances go to: ' + s.ingest + '. Looked at ' + new Date().toLocaleTimeString() + '.';
  const waiting = s.unprotected;
  tables.replaceChildren(
    table('Studies', ['hot', 'of them protected', 'cold', 'instances', 'hot bytes', 'cold bytes'],
      [[s.studies.hot, s.studies.protected, s.studies.cold, s.instances, bytes(s.bytes.hot), bytes(s.bytes.cold)]]),
    table('Not yet protected', ['instances', 'bytes', 'oldest'],
      [[waiting.instances, bytes(waiting.bytes), waiting.oldestAgeSeconds === null ? '' : waiting.oldestAgeSeconds + ' s']]),
    table('Volumes', ['name', 'state', 'free', 'of', 'detail'],
      s.volumes.map((v) => [v.name, flag(v.state, 'healthy'), bytes(v.bytesFree), bytes(v.bytesTotal), [v.detail, v.trend].filter(Boolean).join('; ')])),
    table('Replicas', ['name', 'state', 'packs owed', 'bytes owed', 'detail'],
      s.replicas.map((r) => [r.name, flag(r.state, 'available'), r.debt.packs, bytes(r.debt.bytes), r.detail ?? ''])),
    table('Jobs', ['kind', 'state', 'step', 'packs', 'bytes'],
      s.jobs.map((j) => [j.kind, j.state, j.progress?.step ?? '', (j.progress?.packsDone ?? 0) + ' of ' + (j.progress?.packsTotal ?? 0), bytes(j.progress?.bytesDone ?? 0)])),
  );
}
async function load() {
  const token = sessionStorage.getItem('token');
  try {
    const answer = await fetch('/admin/api/status', { headers: token ? { Authorization: 'Bearer ' + token } : {} });
    form.hidden = answer.status !== 401;
    if (answer.status === 401) { state.textContent = 'A token is needed.'; return; }
    if (!answer.ok) throw new Error('the server answered ' + answer.status);
    show(await answer.json());
  } catch (error) {
    state.textContent = 'Not reachable: ' + error.message;
  }
}
form.addEventListener('submit', (event) => {
  event.preventDefault();
  sessionStorage.setItem('token', document.getElementById('token').value);
  load();
});
load();
setInterval(load, 5000);
`;
