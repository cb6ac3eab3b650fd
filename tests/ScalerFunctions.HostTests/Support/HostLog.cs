using System.Collections.Concurrent;

namespace FuncScaler.Tests;

/// <summary>What host and workers have said, for the message of a test that fails.</summary>
internal sealed class HostLog
{
    private const int Most = 60;

    private readonly ConcurrentQueue<string> _lines = new();

    public IEnumerable<string> Lines => _lines;

    public void Add(string line) => _lines.Enqueue(line);

    public override string ToString() => string.Join('\n', _lines.TakeLast(Most).Prepend("The host's last lines:"));
}
