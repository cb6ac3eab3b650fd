using System.Text;

namespace FuncScaler.SlotBackends.Process;

/// <summary>The last of what a process has printed, in a memory of fixed size, however much it prints and with or without line ends.</summary>
internal sealed class OutputTail
{
    private const int Kept = 2048;
    private const int ReadAtOnce = 16 * 1024;

    // A flood slows the process that makes it down, not the scaler: 256 KB for each pause, some 25 MB/s.
    private const int ReadBetweenPauses = 256 * 1024;
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(10);

    private readonly byte[] _ring = new byte[Kept];
    private readonly Lock _gate = new();
    private long _written;

    /// <summary>The last words, on one line, without control characters; empty when there are none.</summary>
    public string Words
    {
        get
        {
            lock (_gate)
            {
                var count = (int)Math.Min(_written, Kept);
                var text = new byte[count];
                for (var i = 0; i < count; i++)
                {
                    text[i] = _ring[(_written - count + i) % Kept];
                }

                return RemoteWords.Clean(Encoding.UTF8.GetString(text), Kept);
            }
        }
    }

    /// <summary>Reads to the end, or until it is cancelled; ends without an exception.</summary>
    public async Task ReadAsync(Stream stream, TimeProvider time, CancellationToken cancellationToken)
    {
        var buffer = new byte[ReadAtOnce];
        var untilPause = ReadBetweenPauses;
        try
        {
            while (await stream.ReadAsync(buffer, cancellationToken).ConfigureAwait(false) is > 0 and var count)
            {
                Add(buffer.AsSpan(0, count));
                untilPause -= count;
                if (untilPause <= 0)
                {
                    untilPause = ReadBetweenPauses;
                    await Task.Delay(Pause, time, cancellationToken).ConfigureAwait(false);
                }
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or ObjectDisposedException)
        {
            // Nobody listens any more.
        }
    }

    private void Add(ReadOnlySpan<byte> bytes)
    {
        lock (_gate)
        {
            foreach (var value in bytes.Length > Kept ? bytes[^Kept..] : bytes)
            {
                _ring[_written++ % Kept] = value;
            }
        }
    }
}
