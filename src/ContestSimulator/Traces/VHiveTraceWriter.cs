using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace FuncScaler.ContestSimulator.Traces;

/// <summary>
/// Writes a trace as the three files that the vHive invitro loader reads, in the format of the Azure Functions trace of 2019: invocations per
/// minute, percentiles of execution (ms) and of memory (MB) per function.
/// </summary>
public static class VHiveTraceWriter
{
    internal const string InvocationsFile = "invocations.csv";
    internal const string DurationsFile = "durations.csv";
    internal const string MemoryFile = "memory.csv";

    /// <summary>The most minutes that are written: the format knows days.</summary>
    public const int MostMinutes = 1440;

    private const long MinuteUs = 60_000_000;
    private static readonly double[] DurationShares = [0, 0.01, 0.25, 0.5, 0.75, 0.99, 1];
    private static readonly string[] MemoryPercentiles = ["1", "5", "25", "50", "75", "95", "99", "100"];

    /// <summary>
    /// Writes invocations.csv, durations.csv and memory.csv. Minutes are counted from the first request. A key that is not made of letters,
    /// digits, '.', '_' and '-' is written as its SHA-256. Each file appears under its name only when it is complete.
    /// </summary>
    /// <param name="trace">What to write.</param>
    /// <param name="folder">Where to; made when it is not there.</param>
    /// <param name="overwrite">Replace files that are there.</param>
    /// <returns>The number of requests written.</returns>
    /// <exception cref="IOException">A file is there and <paramref name="overwrite"/> is false, or writing fails.</exception>
    /// <exception cref="TraceFormatException">The trace's source is malformed, or it is longer than a day.</exception>
    public static long Write(ITrace trace, string folder, bool overwrite = false)
    {
        ArgumentNullException.ThrowIfNull(trace);
        ArgumentException.ThrowIfNullOrEmpty(folder);
        Directory.CreateDirectory(folder);
        string[] files = [InvocationsFile, DurationsFile, MemoryFile];
        if (!overwrite && files.Select(f => Path.Combine(folder, f)).FirstOrDefault(File.Exists) is { } found)
        {
            throw new IOException($"\"{found}\" is already there; choose another folder, or allow overwriting.");
        }

        var counts = new int[trace.Functions.Count][];
        var durationsUs = new List<long>[trace.Functions.Count];
        long? firstUs = null;
        long requests = 0;
        var minutes = 0;
        foreach (var request in trace.ReadRequests())
        {
            firstUs ??= request.StartUs;
            var minute = (request.StartUs - firstUs.Value) / MinuteUs;
            if (minute >= MostMinutes)
            {
                throw new TraceFormatException($"{trace.Name} is longer than a day, which these files cannot hold; take a part of it with --length.");
            }

            (counts[request.Function] ??= new int[MostMinutes])[minute]++;
            (durationsUs[request.Function] ??= []).Add(request.DurationUs);
            minutes = (int)minute + 1;
            requests++;
        }

        string[] hashes = [.. trace.Functions.Select(f => Hash(f.Meta.Key.Value))];
        try
        {
            WriteFiles();
        }
        finally
        {
            Array.ForEach(files, file => File.Delete(Path.Combine(folder, file + ".part")));
        }

        return requests;

        void WriteFiles()
        {
            Write(folder, InvocationsFile, "HashOwner,HashApp,HashFunction,Trigger," + string.Join(',', Enumerable.Range(1, minutes)), i =>
                counts[i] is { } c ? $"{hashes[i]},{hashes[i]},{hashes[i]},http,{string.Join(',', c.Take(minutes))}" : null);
            Write(
                folder,
                DurationsFile,
                "HashOwner,HashApp,HashFunction,Average,Count,Minimum,Maximum," + string.Join(',', DurationShares.Select(s => $"percentile_Average_{100 * s:0}")),
                i => durationsUs[i] is { } d ? Durations(hashes[i], d) : null);
            Write(
                folder,
                MemoryFile,
                "HashOwner,HashApp,HashFunction,SampleCount,AverageAllocatedMb," + string.Join(',', MemoryPercentiles.Select(p => "AverageAllocatedMb_pct" + p)),
                i => durationsUs[i] is { } d
                    ? $"{hashes[i]},{hashes[i]},{hashes[i]},{d.Count},{string.Join(',', Enumerable.Repeat(trace.Functions[i].Meta.MemoryMb, 1 + MemoryPercentiles.Length))}"
                    : null);
            foreach (var file in files)
            {
                File.Move(Path.Combine(folder, file + ".part"), Path.Combine(folder, file), overwrite: true);
            }
        }

        void Write(string into, string name, string header, Func<int, string?> row)
        {
            using var writer = new StreamWriter(Path.Combine(into, name + ".part"), append: false, new UTF8Encoding(false)) { NewLine = "\n" };
            writer.WriteLine(header);
            for (var i = 0; i < trace.Functions.Count; i++)
            {
                if (row(i) is { } line)
                {
                    writer.WriteLine(line);
                }
            }
        }
    }

    private static string Durations(string hash, List<long> us)
    {
        us.Sort();
        double[] figures =
        [
            us.Average(), us.Count * 1000.0, us[0], us[^1], .. DurationShares.Select(s => us[Math.Max(0, (int)Math.Ceiling(s * us.Count) - 1)]),
        ];
        return $"{hash},{hash},{hash}," + string.Join(',', figures.Select(f => (f / 1000).ToString("0.###", CultureInfo.InvariantCulture)));
    }

    private static string Hash(string key) => key.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-')
        ? key
        : Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(key)));
}
