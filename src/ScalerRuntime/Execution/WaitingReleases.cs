using System.Collections.Concurrent;

namespace FuncScaler.Runtime.Execution;

/// <summary>Releases that have found the executor's lock taken. Whoever has the lock takes them in before an assign.</summary>
internal sealed class WaitingReleases
{
    private readonly ConcurrentQueue<Entry> _queue = new();

    public int Count => _queue.Count;

    /// <summary>Adds one; safe for concurrent use.</summary>
    public Entry Add(MetaKey function, RequestId request, InstanceId instance, in ReleaseResult result)
    {
        var entry = new Entry(function, request, instance, result);
        _queue.Enqueue(entry);
        return entry;
    }

    /// <summary>Takes all of them in. Called with the executor's lock held.</summary>
    public void TakeIn(CoreExecutor executor)
    {
        while (_queue.TryDequeue(out var entry))
        {
            entry.Outcome = executor.TakeIn(entry.Function, entry.Request, entry.Instance, entry.Result);
        }
    }

    /// <summary>A release that waits, and afterwards what became of it.</summary>
    internal sealed class Entry(MetaKey function, RequestId request, InstanceId instance, in ReleaseResult result)
    {
        public MetaKey Function { get; } = function;

        public RequestId Request { get; } = request;

        public InstanceId Instance { get; } = instance;

        public ReleaseResult Result { get; } = result;

        /// <summary>Written and read with the executor's lock held.</summary>
        public ReleaseOutcome Outcome { get; set; }
    }
}
