import { byTime, type DemoEvent } from './events.ts';

/** A stretch of a worker's history. `to` is undefined while it lasts. */
export interface Stretch {
  readonly kind: 'waiting' | 'holding' | 'frozen';
  readonly job: string;
  readonly resource: string;
  readonly from: number;
  to?: number;
}

export interface WorkerView {
  readonly stretches: Stretch[];
  readonly killedAt?: number;
}

export interface Holder {
  readonly worker: string;
  readonly job: string;
  readonly fence: string;
  readonly frozen: boolean;
}

export interface ResourceView {
  readonly holder?: Holder;
  /** In the order in which they came. */
  readonly waiters: readonly string[];
  readonly grants: number;
  /** The fence of the latest grant. */
  readonly fence?: string;
}

export interface View {
  readonly workers: ReadonlyMap<string, WorkerView>;
  readonly resources: ReadonlyMap<string, ResourceView>;
  /** Jobs whose release has been answered. */
  readonly done: number;
}

/** What the events add up to. Workers and resources of whom nothing has been heard are missing. */
export function viewOf(events: readonly DemoEvent[]): View {
  const workers = new Map<string, WorkerView>();
  const resources = new Map<string, ResourceView>();
  const done = new Set<string>();
  for (const event of byTime(events)) {
    if (event.type === 'done') done.add(event.job);
    workers.set(event.worker, nextWorker(workers.get(event.worker) ?? { stretches: [] }, event));
    const resource = resources.get(event.resource) ?? { waiters: [], grants: 0 };
    resources.set(event.resource, nextResource(resource, event));
  }
  return { workers, resources, done: done.size };
}

function nextWorker(worker: WorkerView, { type, at, job, resource }: DemoEvent): WorkerView {
  const { stretches } = worker;
  const last = stretches.at(-1);
  const end = (): void => {
    if (last !== undefined) last.to ??= at;
  };
  const begin = (kind: Stretch['kind']): void => {
    end();
    stretches.push({ kind, job, resource, from: at });
  };
  switch (type) {
    case 'waiting':
      begin('waiting');
      break;
    case 'granted':
      begin('holding');
      break;
    case 'frozen':
      begin('frozen');
      break;
    case 'releasing':
    case 'lost':
    case 'continued':
      end();
      break;
    case 'killed':
      end();
      return { stretches, killedAt: at };
  }
  return worker;
}

function nextResource(view: ResourceView, event: DemoEvent): ResourceView {
  const { worker, job, fence = '' } = event;
  const waiters = view.waiters.filter((waiter) => waiter !== worker);
  const isHolder = view.holder?.worker === worker;
  switch (event.type) {
    case 'waiting':
      return { ...view, waiters: [...waiters, worker] };
    case 'granted':
      return {
        ...view,
        waiters,
        holder: { worker, job, fence, frozen: false },
        grants: view.grants + 1,
        fence,
      };
    case 'frozen':
      return view.holder !== undefined && isHolder
        ? { ...view, holder: { ...view.holder, frozen: true } }
        : view;
    case 'releasing':
    case 'lost':
    case 'killed':
      return { ...view, waiters, holder: isHolder ? undefined : view.holder };
    default:
      return view;
  }
}
