using System.Text.Json.Nodes;

namespace FuncScaler.SlotBackends.Aci;

/// <summary>A container group of a <see cref="SimulatedArm"/>.</summary>
internal sealed class ArmGroup(string resourceGroup, string name, string region, string address, JsonObject body)
{
    private int _running;

    public string ResourceGroup { get; } = resourceGroup;

    public string Name { get; } = name;

    public string Id => $"{ResourceGroup}/{Name}";

    public string Region { get; } = region;

    public string Address { get; } = address;

    public JsonObject Body { get; } = body;

    public TimeSpan CreatedAt { get; init; }

    /// <summary>When it runs; never, for a stuck one.</summary>
    public TimeSpan ReadyAt { get; init; }

    public string? ProvisioningError { get; init; }

    /// <summary>When it is gone, once its deletion was asked for.</summary>
    public TimeSpan? GoneAt { get; set; }

    /// <summary>The exit code of its container, once that has ended; the group stays as it is, as in Azure.</summary>
    public int? ExitCode { get; set; }

    /// <summary>Bodies of POST /init, the first of which counts.</summary>
    public List<string> Inits { get; } = [];

    /// <summary>The most requests that executed in it at one time.</summary>
    public int MostAtOnce { get; private set; }

    public IReadOnlyDictionary<string, string> Tags { get; } =
        body["tags"]?.AsObject().ToDictionary(t => t.Key, t => t.Value!.GetValue<string>()) ?? [];

    public double Cores { get; } = body["properties"]?["containers"]?.AsArray().Sum(c => c?["properties"]?["resources"]?["requests"]?["cpu"]?.GetValue<double>() ?? 0) ?? 0;

    public string StateAt(TimeSpan now) =>
        GoneAt is not null ? "Deleting"
        : now < ReadyAt ? "Creating"
        : ProvisioningError is not null ? "Failed"
        : "Succeeded";

    public IDisposable Execute()
    {
        MostAtOnce = Math.Max(MostAtOnce, Interlocked.Increment(ref _running));
        return new Execution(this);
    }

    private sealed class Execution(ArmGroup group) : IDisposable
    {
        public void Dispose() => Interlocked.Decrement(ref group._running);
    }
}
