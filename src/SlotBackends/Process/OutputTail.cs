using System.Text;

namespace FuncScaler.SlotBackends.Process;

/// <summary>The last of what a process has printed, in a memory of fixed size, however much it prints and with or without line ends.</summary>
/// <param name="onLine">Told each line, of long ones the beginning.</param>
internal sealed class OutputTail(Action<string> onLine)
{
    private const int Kept = 2048;
    private const int ReadAtOnce = 16 * 1024;

    // A flood slows the process that makes it down, not the scaler: 256 KB for each pause, some 25 MB/s.
    private const int ReadBetweenPauses = 256 * 1024;
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(10);

    private readonly byte[] _ring = new byte[Kept];
    private readonly byte[] _line = new byte[Kept];
    private int _lineBytes;
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
                Split(buffer.AsSpan(0, count));
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

        EndLine();
    }

    private void Split(ReadOnlySpan<byte> bytes)
    {
        for (int end; (end = bytes.IndexOf((byte)'\n')) >= 0; bytes = bytes[(end + 1)..])
        {
            AddToLine(bytes[..end]);
            EndLine();
        }

        AddToLine(bytes);
    }

    private void AddToLine(ReadOnlySpan<byte> bytes)
    {
        bytes = bytes[..Math.Min(bytes.Length, _line.Length - _lineBytes)];
        bytes.CopyTo(_line.AsSpan(_lineBytes));
        _lineBytes += bytes.Length;
    }

    private void EndLine()
    {
        if (_lineBytes > 0)
        {
            onLine(Encoding.UTF8.GetString(_line, 0, _lineBytes));
            _lineBytes = 0;
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
