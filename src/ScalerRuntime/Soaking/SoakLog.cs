using System.IO.Hashing;
using System.Runtime.InteropServices;

namespace FuncScaler.Runtime.Soaking;

/// <summary>What happens in a simulated world: its last lines, a hash of all, and how often each fault came.</summary>
/// <param name="writer">Where each line is written at once; null for nowhere.</param>
internal sealed class SoakLog(TextWriter? writer = null)
{
    private const int Kept = 100;

    private readonly Queue<string> _last = new();
    private readonly XxHash3 _hash = new();

    /// <summary>How often each fault came.</summary>
    public long[] Faults { get; } = new long[Enum.GetValues<SoakFault>().Length];

    /// <summary>Of all lines until now: two worlds in which the same happened have the same.</summary>
    public ulong Hash => _hash.GetCurrentHashAsUInt64();

    /// <summary>The last lines, the oldest first.</summary>
    public IEnumerable<string> Last => _last;

    public void Add(string line)
    {
        _hash.Append(MemoryMarshal.AsBytes(line.AsSpan()));
        writer?.WriteLine(line);
        _last.Enqueue(line);
        if (_last.Count > Kept)
        {
            _last.Dequeue();
        }
    }

    public void Count(SoakFault fault) => Faults[(int)fault]++;
}
