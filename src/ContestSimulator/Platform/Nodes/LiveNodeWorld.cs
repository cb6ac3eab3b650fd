using System.Net;
using FuncScaler.ContestSimulator.Nodes;

namespace FuncScaler.ContestSimulator.Platform.Nodes;

/// <summary>A <see cref="NodeWorld"/> on the real clock: calls are asynchronous, and a loop lets happen what is due. Safe for concurrent use.</summary>
internal sealed class LiveNodeWorld : IAsyncDisposable
{
    private readonly NodeWorldOptions _options;
    private readonly NodeWorld _world;
    private readonly Lock _gate = new();
    private readonly Dictionary<long, TaskCompletionSource<WorldEvent>> _awaited = [];
    private readonly List<WorldEvent> _events = [];
    private readonly Dictionary<int, int> _nodeOfPort = [];
    private readonly Dictionary<int, int> _portOfNode = [];
    private readonly Dictionary<int, long> _reservedMs = [];
    private readonly Queue<int> _freePorts = new();
    private readonly CancellationTokenSource _stopping = new();
    private readonly SemaphoreSlim _changed = new(0);
    private readonly Task _loop;
    private readonly TimeProvider _time;
    private readonly long _origin;
    private long _lastId;
    private long _beganUs;
    private int _containers;

    public LiveNodeWorld(NodeWorldOptions options, long seed, TimeProvider time)
    {
        _options = options;
        _time = time;
        _origin = time.GetTimestamp();
        _world = new NodeWorld(options, seed);
        _loop = Task.Run(LoopAsync);
    }

    public NodeWorldOptions Options => _options;

    public string Address { get; private set; } = "127.0.0.1";

    public int NodeCount
    {
        get
        {
            lock (_gate)
            {
                return _world.NodeCount;
            }
        }
    }

    private long NowUs => (long)_time.GetElapsedTime(_origin).TotalMicroseconds;

    /// <summary>Says where nodes can be reached.</summary>
    public void Open(IPAddress address, IEnumerable<int> ports)
    {
        lock (_gate)
        {
            Address = address.ToString();
            foreach (var port in ports)
            {
                _freePorts.Enqueue(port);
            }
        }
    }

    /// <summary>A run begins: terms count from now.</summary>
    public void Begin() => _beganUs = NowUs;

    /// <summary>What the run has cost, up to now; times count from its beginning.</summary>
    public (IReadOnlyList<NodeTerm> Terms, int Containers, int OutOfMemory, long EndUs) End()
    {
        lock (_gate)
        {
            var endUs = NowUs - _beganUs;
            return ([.. _world.Terms.Select(t => new NodeTerm(t.Node, Math.Max(0, t.ReservedUs - _beganUs), t.ReleasedUs - _beganUs))], _containers, _world.OutOfMemory, endUs);
        }
    }

    /// <summary>Reserves a node; null where none is to be had.</summary>
    public async Task<(int Node, int Port, long ReservedMs)?> ReserveAsync()
    {
        var reserved = await CallAsync((nowUs, id) => _world.Reserve(nowUs, id)).ConfigureAwait(false);
        if (reserved.Failed)
        {
            return null;
        }

        lock (_gate)
        {
            var port = _freePorts.Dequeue();
            _nodeOfPort[port] = reserved.Node;
            _portOfNode[reserved.Node] = port;
            _reservedMs[reserved.Node] = _time.GetUtcNow().ToUnixTimeMilliseconds();
            return (reserved.Node, port, _reservedMs[reserved.Node]);
        }
    }

    /// <summary>Gives a node back; false where there is none.</summary>
    public bool Release(int node)
    {
        lock (_gate)
        {
            if (_portOfNode.Remove(node, out var port))
            {
                _nodeOfPort.Remove(port);
                _freePorts.Enqueue(port);
            }

            var released = _world.Release(NowUs, node);
            _changed.Release();
            return released;
        }
    }

    /// <summary>The nodes that are reserved, with port and time.</summary>
    public IReadOnlyList<(int Node, int Port, long ReservedMs)> Nodes
    {
        get
        {
            lock (_gate)
            {
                return [.. _portOfNode.Select(n => (n.Key, n.Value, _reservedMs[n.Key]))];
            }
        }
    }

    /// <summary>The node behind a port; null where there is none.</summary>
    public int? NodeAt(int port)
    {
        lock (_gate)
        {
            return _nodeOfPort.TryGetValue(port, out var node) ? node : null;
        }
    }

    public async Task<long?> CreateAsync(int node, int limitMb)
    {
        var created = await CallAsync((nowUs, id) => _world.Create(nowUs, id, node, limitMb)).ConfigureAwait(false);
        if (created.Failed)
        {
            return null;
        }

        Interlocked.Increment(ref _containers);
        return created.Container;
    }

    public async Task<bool> RemoveAsync(long container)
    {
        lock (_gate)
        {
            if (!_world.Has(container))
            {
                return false;
            }
        }

        await CallAsync((nowUs, id) => _world.Remove(nowUs, id, container)).ConfigureAwait(false);
        return true;
    }

    public Task<WorldEvent> ExecuteAsync(long container, NodeRequest request) => CallAsync((nowUs, id) => _world.Execute(nowUs, id, container, request));

    public (NodeUse Use, IReadOnlyList<(long Container, int LimitMb, int UsedMb)> Containers)? UseOf(int node)
    {
        lock (_gate)
        {
            return _world.UseOf(NowUs, node) is { } use ? (use, [.. _world.ContainersOn(node)]) : null;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _loop.ConfigureAwait(false);
        lock (_gate)
        {
            foreach (var awaited in _awaited.Values)
            {
                awaited.TrySetCanceled();
            }
        }

        _stopping.Dispose();
        _changed.Dispose();
    }

    private Task<WorldEvent> CallAsync(Action<long, long> call)
    {
        var answer = new TaskCompletionSource<WorldEvent>(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_gate)
        {
            var id = ++_lastId;
            _awaited.Add(id, answer);
            Advance();
            call(NowUs, id);
            _changed.Release();
        }

        return answer.Task;
    }

    /// <summary>Called with the lock held.</summary>
    private void Advance()
    {
        _world.Advance(NowUs, _events);
        foreach (var happened in _events)
        {
            if (_awaited.Remove(happened.Id, out var answer))
            {
                answer.TrySetResult(happened);
            }
        }

        _events.Clear();
    }

    private async Task LoopAsync()
    {
        try
        {
            while (!_stopping.IsCancellationRequested)
            {
                long waitUs;
                lock (_gate)
                {
                    Advance();
                    waitUs = Math.Clamp(_world.NextUs - NowUs, 0, 1_000_000);
                }

                await _changed.WaitAsync(TimeSpan.FromMilliseconds((waitUs + 999) / 1000), _stopping.Token).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException)
        {
            // Disposed of.
        }
    }
}
