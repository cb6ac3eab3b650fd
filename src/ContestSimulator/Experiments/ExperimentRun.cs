using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace FuncScaler.ContestSimulator.Experiments;

/// <summary>One run of an experiment, or the bound of one trace: everything needed to repeat it, and what it came to.</summary>
public sealed record ExperimentRun
{
    /// <summary>What the bound is called.</summary>
    public const string BoundName = "clairvoyant";

    /// <summary>The version of the build.</summary>
    public required string Version { get; init; }

    /// <summary>The commit that was built; "unknown" where the build did not know.</summary>
    public required string Commit { get; init; }

    /// <summary>The trace's name.</summary>
    public required string Trace { get; init; }

    /// <summary>The trace's seed; null where it has none.</summary>
    public long? Seed { get; init; }

    /// <summary><see cref="Experiments.TraceHash"/> of the trace, the part that was taken.</summary>
    public required string TraceHash { get; init; }

    /// <summary>The tail, s.</summary>
    public required double TailSeconds { get; init; }

    /// <summary>What callers wait for the wire per request, ms.</summary>
    public required double RpcMs { get; init; }

    /// <summary>Whether requests wait for releases.</summary>
    public required bool Waiting { get; init; }

    /// <summary>The price of waiting, GB·s per s; null for none.</summary>
    public double? LatencyPriceGbs { get; init; }

    /// <summary>What each create costs, GB·s.</summary>
    public double CreateCostGbs { get; init; }

    /// <summary>What a GB·s costs; null for no price.</summary>
    public double? GbSecondPrice { get; init; }

    /// <summary>What a second of waiting costs.</summary>
    public double WaitingSecondPrice { get; init; }

    /// <summary>The policy; <see cref="BoundName"/> for the bound.</summary>
    public required string Policy { get; init; }

    /// <summary>Whether this is the bound.</summary>
    public bool IsBound => Policy == BoundName;

    /// <summary>The trace's requests; 0 as long as it has not run.</summary>
    public long Requests { get; init; }

    /// <summary>The measures by name; null where the bound has none.</summary>
    public IReadOnlyDictionary<string, double?> Measures { get; init; } = new Dictionary<string, double?>();

    /// <summary>What it took in real time, s.</summary>
    public double ElapsedSeconds { get; init; }

    /// <summary>The same for runs that must come to the same: of all that determines the result.</summary>
    public string Key
    {
        get
        {
            var identity = Fields(onlyIdentity: true).Select(f => FormattableString.Invariant($"{f.Name}={f.Value}"));
            return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n', identity))))[..16];
        }
    }

    /// <summary>The columns of result files, in order.</summary>
    public IEnumerable<(string Name, object? Value)> Fields(bool onlyIdentity = false)
    {
        yield return ("version", Version);
        yield return ("commit", Commit);
        yield return ("trace", Trace);
        yield return ("seed", Seed);
        yield return ("traceHash", TraceHash);
        yield return ("tailSeconds", TailSeconds);
        yield return ("rpcMs", RpcMs);
        yield return ("waiting", Waiting);
        yield return ("latencyPriceGbs", LatencyPriceGbs);
        yield return ("createCostGbs", CreateCostGbs);
        yield return ("gbSecondPrice", GbSecondPrice);
        yield return ("waitingSecondPrice", WaitingSecondPrice);
        yield return ("policy", Policy);
        if (onlyIdentity)
        {
            yield break;
        }

        yield return ("isBound", IsBound);
        yield return ("requests", Requests);
        foreach (var (name, value) in Measures)
        {
            yield return (name, value);
        }

        yield return ("elapsedSeconds", ElapsedSeconds);
    }

    /// <summary>As a JSON object, one field for each column.</summary>
    public JsonObject ToJson()
    {
        var row = new JsonObject();
        foreach (var (name, value) in Fields())
        {
            row[name] = value switch
            {
                null => null,
                string text => text,
                bool flag => flag,
                long number => number,
                double number => number,
                _ => throw new InvalidOperationException($"{name} is of no type that is written."),
            };
        }

        return row;
    }

    /// <summary>Reads what <see cref="ToJson"/> has made.</summary>
    /// <exception cref="JsonException">Not such an object.</exception>
    public static ExperimentRun FromJson(JsonObject row)
    {
        ArgumentNullException.ThrowIfNull(row);
        try
        {
            string[] known = ["version", "commit", "trace", "seed", "traceHash", "tailSeconds", "rpcMs", "waiting", "latencyPriceGbs", "createCostGbs", "gbSecondPrice", "waitingSecondPrice", "policy", "isBound", "requests", "elapsedSeconds"];
            return new ExperimentRun
            {
                Version = (string)row["version"]!,
                Commit = (string)row["commit"]!,
                Trace = (string)row["trace"]!,
                Seed = (long?)row["seed"],
                TraceHash = (string)row["traceHash"]!,
                TailSeconds = (double)row["tailSeconds"]!,
                RpcMs = (double)row["rpcMs"]!,
                Waiting = (bool)row["waiting"]!,
                LatencyPriceGbs = (double?)row["latencyPriceGbs"],
                CreateCostGbs = (double)row["createCostGbs"]!,
                GbSecondPrice = (double?)row["gbSecondPrice"],
                WaitingSecondPrice = (double)row["waitingSecondPrice"]!,
                Policy = (string)row["policy"]!,
                Requests = (long)row["requests"]!,
                ElapsedSeconds = (double)row["elapsedSeconds"]!,
                Measures = row.Where(f => !known.Contains(f.Key)).ToDictionary(f => f.Key, f => (double?)f.Value),
            };
        }
        catch (Exception e) when (e is ArgumentNullException or InvalidOperationException or FormatException or InvalidCastException)
        {
            throw new JsonException("A run of an experiment has not the fields that it needs.", e);
        }
    }
}
