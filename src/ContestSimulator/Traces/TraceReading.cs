namespace FuncScaler.ContestSimulator.Traces;

/// <summary>Tells whoever waits for a trace how much of it is read: of files the bytes, of generated traces the time.</summary>
public static class TraceReading
{
    private static readonly AsyncLocal<Action<double>?> Watcher = new();

    /// <summary>Reads something, and tells how far it has come.</summary>
    /// <param name="share">
    /// Told the share that is read, 0 to 1, now and then, on the thread that reads. With each file and each pass it begins anew. What it throws ends
    /// the reading.
    /// </param>
    /// <param name="read">Opens traces, or reads them.</param>
    public static T Watch<T>(Action<double> share, Func<T> read)
    {
        ArgumentNullException.ThrowIfNull(share);
        ArgumentNullException.ThrowIfNull(read);
        var before = Watcher.Value;
        Watcher.Value = share;
        try
        {
            return read();
        }
        finally
        {
            Watcher.Value = before;
        }
    }

    /// <summary>Who is to be told; null for nobody.</summary>
    internal static Action<double>? Current => Watcher.Value;

    /// <summary>A file that tells how much of it is read.</summary>
    internal sealed class WatchedFile(string path, int bufferBytes, Action<double> share)
        : FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferBytes, FileOptions.SequentialScan)
    {
        public override int Read(Span<byte> buffer) => Told(base.Read(buffer));

        public override int Read(byte[] buffer, int offset, int count) => Told(base.Read(buffer, offset, count));

        private int Told(int read)
        {
            share(Length > 0 ? Math.Min(1, (double)Position / Length) : 1);
            return read;
        }
    }
}
