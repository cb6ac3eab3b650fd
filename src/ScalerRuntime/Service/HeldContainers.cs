namespace FuncScaler.Runtime.Service;

/// <summary>
/// Which container each request was told: a return names the request and the container, and the scaler wants the function and the instance. What is
/// never returned is forgotten when the scaler takes its request to be lost. Safe for concurrent use.
/// </summary>
/// <param name="limitUs">How long a request may hold an instance of a function, µs; null for ever.</param>
/// <param name="time">The clock.</param>
internal sealed class HeldContainers(Func<FunctionMeta, long?> limitUs, TimeProvider time)
{
    /// <summary>Old entries that are looked at with each new one: more than one, so that they become fewer.</summary>
    private const int LookedAt = 2;

    private readonly Dictionary<(string Request, string Container), LinkedListNode<Entry>> _entries = [];
    private readonly LinkedList<Entry> _order = new();
    private readonly long _origin = time.GetTimestamp();
    private readonly Lock _gate = new();

    /// <summary>Requests that are known.</summary>
    public int Count
    {
        get
        {
            lock (_gate)
            {
                return _entries.Count;
            }
        }
    }

    private long NowUs => (long)time.GetElapsedTime(_origin).TotalMicroseconds;

    /// <summary>A request was told its container; one that repeats its call is told the same.</summary>
    public void Add(string request, string container, FunctionMeta function, InstanceId instance)
    {
        lock (_gate)
        {
            var nowUs = NowUs;
            for (var i = 0; i < LookedAt && _order.First is { } oldest; i++)
            {
                _order.RemoveFirst();
                if (oldest.Value.UntilUs <= nowUs)
                {
                    _entries.Remove(oldest.Value.Key);
                }
                else
                {
                    // Functions have limits of their own: what is behind it may be over.
                    _order.AddLast(oldest);
                }
            }

            var key = (request, container);
            if (_entries.Remove(key, out var former))
            {
                _order.Remove(former);
            }

            var untilUs = limitUs(function) is { } limit ? nowUs + limit : long.MaxValue;
            _entries.Add(key, _order.AddLast(new Entry(key, function.Key, instance, untilUs)));
        }
    }

    /// <summary>A request has returned its container; of several such calls at a time the first finds it.</summary>
    /// <param name="request">The request.</param>
    /// <param name="container">The container.</param>
    /// <param name="scope">Whose functions the caller may use; null for all.</param>
    /// <param name="function">The function.</param>
    /// <param name="instance">The container, as the scaler knows it.</param>
    public bool TryTake(string request, string container, CallerScope? scope, out MetaKey function, out InstanceId instance)
    {
        lock (_gate)
        {
            var key = (request, container);
            if (!_entries.TryGetValue(key, out var node) || scope?.Covers(node.Value.Function.Value) == false)
            {
                (function, instance) = (default, default);
                return false;
            }

            _entries.Remove(key);
            _order.Remove(node);
            (function, instance) = (node.Value.Function, node.Value.Instance);
            return true;
        }
    }

    private readonly record struct Entry((string Request, string Container) Key, MetaKey Function, InstanceId Instance, long UntilUs);
}
