// Calls to a token, through a process of its own: one at a time, each within a time limit, and only so many waiting. A process that
// fails or does not answer is killed, and the next call begins with a new one.
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { ArchiveError } from '../../core/errors.js';
import { Semaphore, withDeadline } from '../../core/queues.js';
import type { TokenAnswer, TokenPlace, TokenRequest } from './messages.js';

const PROGRAM = fileURLToPath(new URL('./token-process.js', import.meta.url));
const WAITING_MAX = 1_024;

export interface TokenTimes {
  /** Of one call; a login and the start of the process may take as long again. */
  readonly callMs: number;
  /** After a failure all calls fail at once for so long: nobody queues up before a dead device. */
  readonly restMs: number;
}

export class TokenClient {
  readonly #place: TokenPlace;
  readonly #times: TokenTimes;
  /** The device works on one call at a time. */
  readonly #turn = new Semaphore(1, WAITING_MAX);
  #child: ChildProcess | null = null;
  #failure: { readonly error: ArchiveError; readonly untilMs: number } | null = null;
  #closed = false;

  constructor(place: TokenPlace, times: TokenTimes) {
    this.#place = place;
    this.#times = times;
  }

  /** Why the last call failed, or null. */
  get fault(): string | null {
    return this.#failure?.error.message ?? null;
  }

  /**
   * The answer to one request. A call that finds the token's session lost is made once more on a new one, unless it is `draw`.
   * UNAVAILABLE when the token is away or slow, or (not retryable) has refused the PIN; WRONG_KEY when it lacks the key.
   */
  async call(request: TokenRequest): Promise<TokenAnswer> {
    this.#mustBeWell();
    return this.#turn.run(async () => {
      this.#mustBeWell();
      const fresh = this.#child === null;
      let answer = await this.#try(request);
      // A token that was taken out and put back, or a device that was started again, has forgotten the session.
      if (isAway(answer) && !fresh && request.kind !== 'draw') answer = await this.#try(request);
      if (answer.kind !== 'failed') {
        this.#failure = null;
        return answer;
      }
      if (answer.fault === 'no-key') throw new ArchiveError('WRONG_KEY', answer.detail);
      throw this.#fail(answer.detail, answer.fault === 'refused');
    });
  }

  /** Ends the process. */
  close(): void {
    this.#closed = true;
    this.#end();
  }

  #mustBeWell(): void {
    if (this.#closed) throw new ArchiveError('UNAVAILABLE', 'the token was closed');
    // The monotonic clock: a rest is a length of time, not a date.
    if (this.#failure !== null && performance.now() < this.#failure.untilMs) throw this.#failure.error;
  }

  #fail(detail: string, refused: boolean): ArchiveError {
    const advice = refused
      ? 'nothing is tried again before a restart, since tokens lock themselves'
      : 'it is asked again by itself; see that the device, its driver and its network are there';
    const error = new ArchiveError('UNAVAILABLE', `keys cannot be used: ${detail}; ${advice}`, {
      retryable: !refused,
    });
    const untilMs = refused ? Number.POSITIVE_INFINITY : performance.now() + this.#times.restMs;
    this.#failure = { error, untilMs };
    return error;
  }

  /** Opens the token first where no process has it; whatever fails so that the session is in doubt ends the process. */
  async #try(request: TokenRequest): Promise<TokenAnswer> {
    let answer: TokenAnswer = { kind: 'done' };
    if (this.#child === null) answer = await this.#send({ kind: 'open', place: this.#place });
    if (answer.kind !== 'failed') answer = await this.#send(request);
    if (answer.kind === 'failed' && answer.fault !== 'no-key') this.#end();
    return answer;
  }

  async #send(request: TokenRequest): Promise<TokenAnswer> {
    const child = this.#child ?? this.#start();
    try {
      return await withDeadline(this.#times.callMs, `token ${this.#place.token}`, () => exchange(child, request));
    } catch (error) {
      return { kind: 'failed', fault: 'away', detail: error instanceof Error ? error.message : 'unexpected' };
    }
  }

  #start(): ChildProcess {
    const child = fork(PROGRAM, [], {
      execArgv: [],
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    // It is no reason for this process to stay.
    child.unref();
    child.channel?.unref();
    this.#child = child;
    return child;
  }

  #end(): void {
    this.#child?.kill('SIGKILL');
    this.#child = null;
  }
}

function isAway(answer: TokenAnswer): boolean {
  return answer.kind === 'failed' && answer.fault === 'away';
}

/** Sends one request and waits for its answer, or for the end of the process. */
async function exchange(child: ChildProcess, request: TokenRequest): Promise<TokenAnswer> {
  return new Promise<TokenAnswer>((resolve, reject) => {
    const settle = (outcome: () => void) => {
      child.off('message', onMessage);
      child.off('exit', onExit);
      child.off('error', onExit);
      outcome();
    };
    const onMessage = (answer: unknown) => settle(() => resolve(answer as TokenAnswer));
    const onExit = () => settle(() => reject(new ArchiveError('UNAVAILABLE', "the module's process ended")));
    child.on('message', onMessage);
    child.on('exit', onExit);
    child.on('error', onExit);
    child.send(request, (error) => {
      if (error !== null) onExit();
    });
  });
}
