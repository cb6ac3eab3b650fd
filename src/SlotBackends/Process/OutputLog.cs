using System.Runtime.InteropServices;

namespace FuncScaler.SlotBackends.Process;

/// <summary>
/// The last lines that instances have printed, in bounded memory whatever they print: the lines of a function push out its own oldest ones, and where
/// there are too many functions those that have been silent for longest are forgotten. Safe for concurrent use.
/// </summary>
internal sealed class OutputLog(TimeProvider time)
{
    /// <summary>The most lines of a function.</summary>
    public const int MostOfFunction = 500;

    /// <summary>The most lines of all functions.</summary>
    public const int Most = 20_000;

    /// <summary>The longest text of a line, characters.</summary>
    public const int Longest = 500;

    private readonly Lock _gate = new();
    private readonly Dictionary<MetaKey, Lines> _functions = [];
    private int _count;
    private long _added;

    public void Add(MetaKey function, InstanceId instance, string stream, string text)
    {
        var line = new OutputLine(time.GetUtcNow(), instance.Value, stream, RemoteWords.Clean(text, Longest));
        lock (_gate)
        {
            var lines = CollectionsMarshal.GetValueRefOrAddDefault(_functions, function, out _) ??= new Lines();

            lines.Kept.Enqueue(line);
            lines.LastAdded = ++_added;
            _count++;
            if (lines.Kept.Count > MostOfFunction)
            {
                lines.Kept.Dequeue();
                _count--;
            }
            else if (_count > Most)
            {
                var silent = _functions.MinBy(f => f.Value.LastAdded);
                _functions.Remove(silent.Key);
                _count -= silent.Value.Kept.Count;
            }
        }
    }

    public IReadOnlyList<OutputLine> Of(MetaKey function, int most)
    {
        lock (_gate)
        {
            return _functions.TryGetValue(function, out var lines) ? [.. lines.Kept.Skip(lines.Kept.Count - most)] : [];
        }
    }

    private sealed class Lines
    {
        public Queue<OutputLine> Kept { get; } = new();

        public long LastAdded { get; set; }
    }
}
