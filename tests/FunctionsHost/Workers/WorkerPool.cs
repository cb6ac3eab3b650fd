namespace FuncScaler.FunctionsHost.Workers;

/// <summary>The workers: as many as wished for, a new one for each that ends, invocations in turn.</summary>
internal sealed class WorkerPool(AppFolder app, int count, Action<string> log) : IAsyncDisposable
{
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(10);

    private readonly Lock _gate = new();
    private readonly List<Worker> _workers = [];
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool _stopping;
    private int _turn;

    /// <summary>The workers that have loaded their functions and live.</summary>
    public IReadOnlyList<Worker> Ready
    {
        get
        {
            lock (_gate)
            {
                return [.. _workers.Where(w => w.Ready.IsCompletedSuccessfully && !w.Ended.IsCompleted)];
            }
        }
    }

    /// <summary>Workers ever started.</summary>
    public int Started { get; private set; }

    /// <summary>Starts the workers and waits until they are ready.</summary>
    public async Task StartAsync(Uri rpc, IReadOnlyDictionary<string, string> settings, CancellationToken cancellationToken)
    {
        var workers = Enumerable.Range(0, count).Select(_ => StartOne(rpc, settings)).ToList();
        await Task.WhenAll(workers.Select(w => w.Ready)).WaitAsync(cancellationToken);
    }

    public Worker? Find(string id)
    {
        lock (_gate)
        {
            return _workers.Find(w => w.Id == id);
        }
    }

    /// <summary>The worker whose turn it is; waits while none is ready.</summary>
    public async Task<Worker> NextAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            Task changed;
            lock (_gate)
            {
                changed = _changed.Task;
            }

            if (Ready is { Count: > 0 } ready)
            {
                return ready[(Interlocked.Increment(ref _turn) & int.MaxValue) % ready.Count];
            }

            await changed.WaitAsync(cancellationToken);
        }
    }

    /// <summary>Kills workers with an invocation that was cancelled and runs all the same.</summary>
    public void KillStuck()
    {
        foreach (var worker in Ready.Where(w => w.Stuck))
        {
            worker.Kill();
        }
    }

    /// <summary>Stops the workers in order.</summary>
    public async Task StopAsync()
    {
        Worker[] workers;
        lock (_gate)
        {
            _stopping = true;
            workers = [.. _workers];
        }

        await Task.WhenAll(workers.Select(w => w.StopAsync(Grace)));
    }

    public async ValueTask DisposeAsync()
    {
        Worker[] workers;
        lock (_gate)
        {
            _stopping = true;
            workers = [.. _workers];
        }

        foreach (var worker in workers)
        {
            await worker.DisposeAsync();
        }
    }

    private Worker StartOne(Uri rpc, IReadOnlyDictionary<string, string> settings)
    {
        lock (_gate)
        {
            var worker = Worker.Start(app, rpc, settings, log);
            _workers.Add(worker);
            Started++;
            _ = WatchAsync(worker, rpc, settings);
            return worker;
        }
    }

    private async Task WatchAsync(Worker worker, Uri rpc, IReadOnlyDictionary<string, string> settings)
    {
        await Task.WhenAny(worker.Ready, worker.Ended);
        Changed();
        await worker.Ended;
        var wasReady = worker.Ready.IsCompletedSuccessfully;
        lock (_gate)
        {
            // One that has never been ready would not be so the next time.
            if (!_stopping && wasReady)
            {
                StartOne(rpc, settings);
            }
        }

        Changed();
    }

    private void Changed()
    {
        lock (_gate)
        {
            _changed.TrySetResult();
            _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }
}
