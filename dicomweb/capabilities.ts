// The Retrieve Capabilities transaction (PS3.18 8.9, Annex H): OPTIONS of the service or of a resource, as WADL or the same in JSON;
// and what a person finds who opens the base URI.

import { sendEmpty, sendText } from './answer/send.js';
import { preflightHeaders } from './cors.js';
import type { Exchange } from './exchange.js';
import { covers } from './negotiation/accept.js';
import { HttpProblem } from './problem.js';
import { examplePath, RESOURCES, type ResourceEntry, type Transaction } from './resources.js';
import { MOUNT, matchPath, type Resource } from './router.js';

const WADL = 'application/vnd.sun.wadl+xml';
const JSON_TYPE = 'application/json';

/** The methods that the handlers have for a resource. */
export type MethodsOf = (resource: Resource) => readonly string[];

interface Method extends Transaction {
  readonly method: string;
}

interface Described {
  readonly path: string;
  readonly methods: readonly Method[];
}

/** The entries that are really served, each with the methods that it really has. */
function described(methodsOf: MethodsOf): readonly Described[] {
  return RESOURCES.map((entry): Described => {
    const target = matchPath(`${MOUNT}/${examplePath(entry)}`, Number.POSITIVE_INFINITY);
    const served = target === null ? [] : methodsOf(target.resource);
    const methods = Object.entries(entry.methods).map(([method, transaction]) => ({ method, ...transaction }));
    return { path: entry.path, methods: methods.filter(({ method }) => served.includes(method)) };
  }).filter(({ methods }) => methods.length > 0);
}

/** The template of a request's path, `` for the service itself; null when it is no resource of the table. */
function templateOf(path: string): string | null {
  const segments = path.split('/').filter((segment) => segment !== '');
  if (segments.length === 0) return '';
  const matches = ({ path: template }: ResourceEntry): boolean => {
    const parts = template.split('/');
    const bulk = template.endsWith('{bulkdata}') && segments.length > parts.length;
    if (parts.length !== segments.length && !bulk) return false;
    return parts.every((part, at) => part.startsWith('{') || part === segments[at]);
  };
  return RESOURCES.find(matches)?.path ?? null;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;');
}

function wadlMethod({ method, name, parameters, takes, gives }: Method): string {
  const params = parameters.map((each) => `<param name="${escaped(each)}" style="query"/>`);
  const bodies = takes.map((type) => `<representation mediaType="${escaped(type)}"/>`);
  const request = params.length + bodies.length === 0 ? '' : `<request>${[...params, ...bodies].join('')}</request>`;
  const types = gives.map((type) => `<representation mediaType="${escaped(type)}"/>`).join('');
  const id = name.replaceAll(' ', '');
  return `<method name="${method}" id="${id}">${request}${types === '' ? '<response/>' : `<response>${types}</response>`}</method>`;
}

function wadl(base: string, entries: readonly Described[]): string {
  const resources = entries.map(({ path, methods }) => {
    const template = [...path.matchAll(/\{(\w+)\}/g)]
      .map(([, name]) => `<param name="${name}" style="template"/>`)
      .join('');
    return `<resource path="${escaped(path)}">${template}${methods.map(wadlMethod).join('')}</resource>`;
  });
  return (
    '<?xml version="1.0" encoding="UTF-8"?>\n<application xmlns="http://wadl.dev.java.net/2009/02">' +
    `<resources base="${escaped(base)}/">${resources.join('')}</resources></application>\n`
  );
}

function send(exchange: Exchange, allow: string, methodsOf: MethodsOf, template: string): void {
  const below = template === '' ? '' : `${template}/`;
  const entries = described(methodsOf).filter(({ path }) => path === template || path.startsWith(below));
  const base = exchange.absoluteRoot;
  const headers = { Allow: allow, Vary: 'Accept' };
  for (const { type } of exchange.accept) {
    if (type === JSON_TYPE) {
      sendText(exchange, 200, { ...headers, 'Content-Type': JSON_TYPE }, JSON.stringify({ base, resources: entries }));
      return;
    }
    if (covers(type, WADL) || type === 'application/xml' || type === 'text/xml') {
      sendText(exchange, 200, { ...headers, 'Content-Type': WADL }, wadl(base, entries));
      return;
    }
  }
  throw new HttpProblem(406, `capabilities are given as ${WADL} or ${JSON_TYPE}`, { available: [WADL, JSON_TYPE] });
}

/** Answers OPTIONS: a preflight with what may be asked, anything else with the description of the resource and what is below it. */
export function describeCapabilities(exchange: Exchange, methodsOf: MethodsOf): void {
  const allow = [...methodsOf(exchange.target.resource), 'OPTIONS'].join(', ');
  const preflight = preflightHeaders(exchange.req, allow);
  if (preflight !== null) {
    sendEmpty(exchange, 204, { Allow: allow, ...preflight });
    return;
  }
  const path = (exchange.req.url ?? '').split('?', 1)[0]?.slice(MOUNT.length) ?? '';
  const template = templateOf(path);
  // Aliases and what is not of this service have no description of their own.
  if (template === null) sendEmpty(exchange, 204, { Allow: allow });
  else send(exchange, allow, methodsOf, template);
}

/** GET of the base URI: the same in JSON, for whoever looks there first; WADL when it is asked for by name. */
export function describeService(exchange: Exchange, methodsOf: MethodsOf): void {
  const wants = exchange.accept.some(({ type }) => type === WADL);
  const entries = described(methodsOf);
  const base = exchange.absoluteRoot;
  const headers = { Vary: 'Accept', 'Content-Type': wants ? WADL : JSON_TYPE };
  const text = wants
    ? wadl(base, entries)
    : JSON.stringify({ service: 'Filmroom DICOMweb (PS3.18 Studies Service)', base, resources: entries }, null, 1);
  sendText(exchange, 200, headers, text);
}
