using System.Buffers.Text;
using System.IO.Compression;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace FuncScaler.ContestSimulator.Traces;

/// <summary>Writes a trace as a contest folder, which <see cref="ContestTrace"/> reads back.</summary>
public static class ContestTraceWriter
{
    private const int FlushAtBytes = 1 << 16;

    /// <summary>
    /// Writes the files <c>metas</c> and <c>requests</c>, or both with <c>.gz</c>. The format counts milliseconds: starts are rounded
    /// down, durations to the nearest. Each file appears under its name only when it is complete.
    /// </summary>
    /// <param name="trace">What to write.</param>
    /// <param name="folder">Where to; made when it is not there.</param>
    /// <param name="gzip">Compress both files.</param>
    /// <param name="overwrite">Replace files that are there.</param>
    /// <returns>The number of requests written.</returns>
    /// <exception cref="IOException">A file is there and <paramref name="overwrite"/> is false, or writing fails.</exception>
    /// <exception cref="TraceFormatException">The trace's source is malformed.</exception>
    public static long Write(ITrace trace, string folder, bool gzip = false, bool overwrite = false)
    {
        ArgumentNullException.ThrowIfNull(trace);
        ArgumentException.ThrowIfNullOrEmpty(folder);
        Directory.CreateDirectory(folder);
        var metas = Path.Combine(folder, ContestTrace.MetasFile);
        var requests = Path.Combine(folder, ContestTrace.RequestsFile);
        string[] taken = [metas, metas + ".gz", requests, requests + ".gz"];
        if (!overwrite && taken.FirstOrDefault(File.Exists) is { } found)
        {
            throw new IOException($"\"{found}\" is already there; choose another folder, or allow overwriting.");
        }

        var metasPart = metas + ".part";
        var requestsPart = requests + ".part";
        try
        {
            WriteFunctions(trace, metasPart, gzip);
            var count = WriteRequests(trace, requestsPart, gzip);
            Array.ForEach(taken, File.Delete);
            var ending = gzip ? ".gz" : "";
            File.Move(metasPart, metas + ending);
            File.Move(requestsPart, requests + ending);
            return count;
        }
        finally
        {
            File.Delete(metasPart);
            File.Delete(requestsPart);
        }
    }

    private static void WriteFunctions(ITrace trace, string path, bool gzip)
    {
        using var output = Create(path, gzip);
        using var writer = new StreamWriter(output, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false)) { NewLine = "\n" };
        foreach (var function in trace.Functions)
        {
            var meta = function.Meta;
            writer.WriteLine(
                $"{{\"key\": {Quoted(meta.Key.Value)}, \"runtime\": {Quoted(meta.Runtime)}, \"timeoutInSecs\": {meta.TimeoutSeconds}, "
                + $"\"memoryInMb\": {meta.MemoryMb}, \"initDurationInMs\": {(function.InitDurationUs + 500) / 1000}}}");
        }
    }

    private static long WriteRequests(ITrace trace, string path, bool gzip)
    {
        var openings = trace.Functions
            .Select(f => Encoding.UTF8.GetBytes($"{{\"metaKey\": {Quoted(f.Meta.Key.Value)}, \"startTime\": "))
            .ToArray();
        using var output = Create(path, gzip);
        var longestLine = (openings.Length == 0 ? 0 : openings.Max(o => o.Length)) + 128;
        var buffer = new byte[FlushAtBytes + longestLine];
        var used = 0;
        var count = 0L;
        foreach (var request in trace.ReadRequests())
        {
            Append(openings[request.Function]);
            AppendNumber(request.StartUs / 1000);
            Append(", \"durationsInMs\": "u8);
            AppendNumber((request.DurationUs + 500) / 1000);
            Append(", \"statusCode\": "u8);
            AppendNumber(request.StatusCode);
            Append("}\n"u8);
            count++;
            if (used >= FlushAtBytes)
            {
                output.Write(buffer, 0, used);
                used = 0;
            }
        }

        output.Write(buffer, 0, used);
        return count;

        void Append(ReadOnlySpan<byte> text)
        {
            text.CopyTo(buffer.AsSpan(used));
            used += text.Length;
        }

        void AppendNumber(long value)
        {
            Utf8Formatter.TryFormat(value, buffer.AsSpan(used), out var written);
            used += written;
        }
    }

    private static Stream Create(string path, bool gzip)
    {
        var file = new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.None, FlushAtBytes);
        return gzip ? new GZipStream(file, CompressionLevel.Optimal) : file;
    }

    private static string Quoted(string text) => $"\"{JsonEncodedText.Encode(text, JavaScriptEncoder.UnsafeRelaxedJsonEscaping)}\"";
}
