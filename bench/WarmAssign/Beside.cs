using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography.X509Certificates;
using FuncScaler.Contract;
using Grpc.Core;
using Grpc.Net.Client;

namespace FuncScaler.Benchmarks;

/// <summary>
/// Several ways to the scaler side by side, in short slices one after the other, so that whatever else the machine does meets all of them.
/// What is told is the median over rounds, and the median over rounds of each figure divided by the first way's in the same round.
/// </summary>
internal static class Beside
{
    /// <param name="rounds">How many slices each way has.</param>
    /// <param name="slice">How long a slice is.</param>
    /// <param name="callers">Callers at once, on one connection.</param>
    /// <param name="ways">NAME=URL, and after it, with commas: token:TOKEN, authority:PEM, certificate:PEM (with its key).</param>
    public static async Task RunAsync(int rounds, TimeSpan slice, int callers, IReadOnlyList<string> ways)
    {
        var all = ways.Select(w => new Way(w)).ToList();
        foreach (var way in all)
        {
            // For the compilers of both sides, and for the instances.
            for (var i = 0; i < 10; i++)
            {
                await way.SliceAsync(slice, callers);
            }
        }

        var rows = new List<Figures[]>();
        for (var round = 0; round < rounds; round++)
        {
            // Begun with another one each round: the one that follows a pause is at a disadvantage.
            var row = new Figures[all.Count];
            for (var i = 0; i < all.Count; i++)
            {
                var at = (round + i) % all.Count;
                row[at] = await all[at].SliceAsync(slice, callers);
            }

            rows.Add(row);
        }

        for (var i = 0; i < all.Count; i++)
        {
            string Of(string name, string unit, Func<Figures, double> figure) => string.Create(
                CultureInfo.InvariantCulture, $"{name} {Median(rows.Select(r => figure(r[i]))):F3}{unit} ({Median(rows.Select(r => figure(r[i]) / figure(r[0]))):F3})");
            Console.WriteLine($"{callers} callers, {all[i].Name}: {Of("p50", " ms", f => f.P50Ms)}; {Of("p99", " ms", f => f.P99Ms)}; {Of("pairs", "/s", f => f.PairsPerSecond)}");
        }
    }

    private static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }

    /// <summary>Of one slice: a warm Assign with its Idle.</summary>
    private readonly record struct Figures(double P50Ms, double P99Ms, double PairsPerSecond);

    private sealed class Way
    {
        private readonly Scaler.ScalerClient _scaler;
        private readonly Metadata? _metadata;
        private long _requests;

        public Way(string text)
        {
            var (name, rest) = text.Split('=', 2) is [var n, var r] ? (n, r.Split(',')) : throw new FormatException($"'{text}' is no NAME=URL");
            Name = name;
            var handler = new SocketsHttpHandler();
            foreach (var option in rest[1..])
            {
                var value = option[(option.IndexOf(':', StringComparison.Ordinal) + 1)..];
                if (option.StartsWith("token:", StringComparison.Ordinal))
                {
                    _metadata = new Metadata { { "authorization", $"Bearer {value}" } };
                }
                else if (option.StartsWith("authority:", StringComparison.Ordinal))
                {
                    var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
                    policy.CustomTrustStore.ImportFromPemFile(value);
                    handler.SslOptions.CertificateChainPolicy = policy;
                }
                else
                {
                    handler.SslOptions.ClientCertificates = [X509Certificate2.CreateFromPemFile(value)];
                }
            }

            _scaler = new Scaler.ScalerClient(GrpcChannel.ForAddress(rest[0], new GrpcChannelOptions { HttpHandler = handler }));
        }

        public string Name { get; }

        public async Task<Figures> SliceAsync(TimeSpan length, int callers)
        {
            var began = Stopwatch.GetTimestamp();
            var times = await Task.WhenAll(Enumerable.Range(0, callers).Select(async caller =>
            {
                var ms = new List<double>();
                var meta = new Meta { Key = "warm-assign", Runtime = "go", TimeoutInSecs = 60, MemoryInMb = 128 };
                while (Stopwatch.GetElapsedTime(began) < length)
                {
                    var sent = Stopwatch.GetTimestamp();
                    var request = new AssignRequest { RequestId = $"{Interlocked.Increment(ref _requests)}", MetaData = meta };
                    var reply = await _scaler.AssignAsync(request, _metadata);
                    await _scaler.IdleAsync(new IdleRequest { Assigment = reply.Assigment, Result = new Result { StatusCode = 200 } }, _metadata);
                    ms.Add(Stopwatch.GetElapsedTime(sent).TotalMilliseconds);
                }

                return ms;
            }));
            var seconds = Stopwatch.GetElapsedTime(began).TotalSeconds;
            double[] all = [.. times.SelectMany(t => t).Order()];
            return new Figures(all[all.Length / 2], all[(int)(all.Length * 0.99)], all.Length / seconds);
        }
    }
}
