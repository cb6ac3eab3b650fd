using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using FuncScaler.ContestSimulator.Traces;

namespace FuncScaler.ContestSimulator.Experiments;

/// <summary>Tells whether two traces are the same, whatever files they were read from.</summary>
public static class TraceHash
{
    private const int RecordBytes = 28;

    /// <summary>SHA-256 over functions and requests, in hex: equal for traces with the same functions and requests in the same order.</summary>
    /// <exception cref="TraceFormatException">The trace is malformed.</exception>
    public static string Of(ITrace trace, CancellationToken cancellationToken = default) => Of(trace, out _, cancellationToken);

    /// <inheritdoc cref="Of(ITrace, CancellationToken)"/>
    /// <param name="trace">The trace.</param>
    /// <param name="requests">How many requests it has.</param>
    /// <param name="cancellationToken">Ends it early.</param>
    public static string Of(ITrace trace, out long requests, CancellationToken cancellationToken)
    {
        requests = 0;
        ArgumentNullException.ThrowIfNull(trace);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var function in trace.Functions)
        {
            var meta = function.Meta;
            hash.AppendData(Encoding.UTF8.GetBytes(FormattableString.Invariant(
                $"{meta.Key.Value}\n{meta.Runtime}\n{meta.MemoryMb} {meta.TimeoutSeconds} {function.InitDurationUs} {function.CreateUs}\n")));
            if (meta.MaxConcurrency > 1)
            {
                hash.AppendData(Encoding.UTF8.GetBytes(FormattableString.Invariant($"{meta.MaxConcurrency} {function.Slowdown}\n")));
            }
        }

        var buffer = new byte[RecordBytes * 4096];
        var used = 0;
        foreach (var request in trace.ReadRequests())
        {
            requests++;
            var record = buffer.AsSpan(used, RecordBytes);
            BinaryPrimitives.WriteInt32LittleEndian(record, request.Function);
            BinaryPrimitives.WriteInt64LittleEndian(record[4..], request.StartUs);
            BinaryPrimitives.WriteInt64LittleEndian(record[12..], request.DurationUs);
            BinaryPrimitives.WriteInt64LittleEndian(record[20..], request.StatusCode);
            used += RecordBytes;
            if (used == buffer.Length)
            {
                hash.AppendData(buffer);
                used = 0;
                cancellationToken.ThrowIfCancellationRequested();
            }
        }

        hash.AppendData(buffer, 0, used);
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
