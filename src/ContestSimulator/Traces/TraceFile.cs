using System.IO.Compression;

namespace FuncScaler.ContestSimulator.Traces;

/// <summary>Opens the files of traces, plain or gzip, and words their errors alike.</summary>
internal static class TraceFile
{
    private const int StreamBufferBytes = 1 << 16;

    /// <summary>Finds <paramref name="name"/> in a folder: the plain file, else the same with <c>.gz</c>.</summary>
    /// <exception cref="TraceFormatException">Neither is there.</exception>
    public static string Find(string folder, string name)
    {
        if (!Directory.Exists(folder))
        {
            throw new TraceFormatException($"There is no folder \"{folder}\"; looked for the files \"{name}\" or \"{name}.gz\" in it.");
        }

        var plain = Path.Combine(folder, name);
        if (File.Exists(plain))
        {
            return plain;
        }

        var zipped = plain + ".gz";
        return File.Exists(zipped)
            ? zipped
            : throw new TraceFormatException($"The folder \"{folder}\" has neither \"{name}\" nor \"{name}.gz\"; one of them is needed.");
    }

    /// <summary>Throws when the file is not there.</summary>
    /// <exception cref="TraceFormatException">It is not there.</exception>
    public static string Require(string path, string what) =>
        File.Exists(path) ? path : throw new TraceFormatException($"There is no file \"{path}\"; looked for {what} there.");

    /// <summary>Opens a file; whether it is gzip is told by its first bytes, not by its name.</summary>
    /// <exception cref="TraceFormatException">It cannot be opened.</exception>
    public static Stream Open(string path)
    {
        FileStream? file = null;
        try
        {
            file = TraceReading.Current is { } share
                ? new TraceReading.WatchedFile(path, StreamBufferBytes, share)
                : new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, StreamBufferBytes, FileOptions.SequentialScan);
            Span<byte> magic = stackalloc byte[2];
            var isGzip = file.ReadAtLeast(magic, 2, throwOnEndOfStream: false) == 2 && magic[0] == 0x1f && magic[1] == 0x8b;
            file.Position = 0;
            return isGzip ? new GZipStream(file, CompressionMode.Decompress) : file;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            file?.Dispose();
            throw new TraceFormatException($"\"{path}\" cannot be opened: {e.Message}", e);
        }
    }

    /// <summary>The error of one field: where, what is wrong, how to mend it.</summary>
    public static TraceFormatException FieldError(string path, long line, string field, string problem, string remedy) =>
        new($"\"{path}\", line {line}, field \"{field}\": {problem}; {remedy}.");

    /// <summary>The error of a whole line.</summary>
    public static TraceFormatException LineError(string path, long line, string problem, string remedy, Exception? inner = null) =>
        inner is null
            ? new($"\"{path}\", line {line}: {problem}; {remedy}.")
            : new($"\"{path}\", line {line}: {problem}; {remedy}.", inner);

    /// <summary>The error of a whole file.</summary>
    public static TraceFormatException FileError(string path, string problem, string remedy) => new($"\"{path}\": {problem}; {remedy}.");
}
