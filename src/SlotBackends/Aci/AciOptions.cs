using System.Text.Json.Serialization;
using FuncScaler.SlotBackends.Budget;
using FuncScaler.SlotBackends.Http;

namespace FuncScaler.SlotBackends.Aci;

/// <summary>Settings of an <see cref="AciBackend"/>. <see cref="AciOptionsValidation"/> says what is wrong with them.</summary>
public sealed record AciOptions
{
    /// <summary>
    /// Whose container groups these are: begins their names and stands in their tags. One running scaler per owner, else each takes the
    /// other's groups for its own past.
    /// </summary>
    public string Owner { get; init; } = "funcscaler";

    /// <summary>
    /// What stands between owner and ticket in names, up to eight of a-z and 0-9; null for something new at each start. The same for all
    /// workers of an app whose tickets are unique among them.
    /// </summary>
    public string? Run { get; init; }

    /// <summary>The Azure subscription's id.</summary>
    public string Subscription { get; init; } = "";

    /// <summary>Where groups are created: the first place with room and calls left, else the next.</summary>
    public IReadOnlyList<AciPlace> Places { get; init; } = [];

    /// <summary>The container image of each runtime; <c>*</c> for every other one.</summary>
    public IReadOnlyDictionary<string, string> Images { get; init; } = new Dictionary<string, string>();

    /// <summary>What each function's instances are told in POST /init, by the function's key; a function without gets its name only.</summary>
    public IReadOnlyDictionary<string, FunctionCode> Functions { get; init; } = new Dictionary<string, FunctionCode>();

    /// <summary>Environment variables of every container.</summary>
    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>();

    /// <summary>The port the container listens on.</summary>
    public int Port { get; init; } = 8080;

    /// <summary>How an instance is made ready.</summary>
    public InstanceStart Start { get; init; } = new();

    /// <summary>Cores per GB of memory, rounded up to tenths; at least 0.1, at most <see cref="MaxCores"/>.</summary>
    public double CpuPerGb { get; init; } = 0.5;

    /// <summary>The most cores of a group.</summary>
    public double MaxCores { get; init; } = 4;

    /// <summary>The most memory of a group, GB.</summary>
    public double MaxMemoryGb { get; init; } = 16;

    /// <summary>The resource id of a subnet for private addresses; empty for public ones.</summary>
    public string SubnetId { get; init; } = "";

    /// <summary>The registry to pull from with <see cref="RegistryIdentityId"/>, for example <c>name.azurecr.io</c>; empty for a public one.</summary>
    public string RegistryServer { get; init; } = "";

    /// <summary>The resource id of the user-assigned identity that may pull.</summary>
    public string RegistryIdentityId { get; init; } = "";

    /// <summary>Resource ids of user-assigned identities the containers have.</summary>
    public IReadOnlyList<string> IdentityIds { get; init; } = [];

    /// <summary>The client id of the user-assigned identity the scaler itself signs in with; empty for whatever the environment offers.</summary>
    public string CredentialClientId { get; init; } = "";

    /// <summary>Further tags of every group.</summary>
    public IReadOnlyDictionary<string, string> Tags { get; init; } = new Dictionary<string, string>();

    /// <summary>
    /// Whether groups run at Spot priority: cheaper, and may be evicted. Azure gives them no inbound connectivity, so instances have no
    /// address and are not initialised over HTTP: for functions that fetch their work.
    /// </summary>
    public bool Spot { get; init; }

    /// <summary>The Log Analytics workspace's id (a GUID) for the containers' output; empty for none.</summary>
    public string LogWorkspaceId { get; init; } = "";

    /// <summary>The workspace's key.</summary>
    public string LogWorkspaceKey { get; init; } = "";

    /// <summary>The resource id of a standby pool to claim groups from; an empty pool gives cold groups.</summary>
    public string StandbyPoolId { get; init; } = "";

    /// <summary>The resource id of the container group profile that the standby pool is filled by.</summary>
    public string ContainerGroupProfileId { get; init; } = "";

    /// <summary>The profile's revision.</summary>
    public int ContainerGroupProfileRevision { get; init; } = 1;

    /// <summary>Creations per region: Azure's defaults unless told otherwise.</summary>
    public IReadOnlyList<RateLimit> CreateLimits { get; init; } = [new(300, TimeSpan.FromHours(1)), new(100, TimeSpan.FromMinutes(5))];

    /// <summary>Deletions per region.</summary>
    public IReadOnlyList<RateLimit> DeleteLimits { get; init; } = [new(300, TimeSpan.FromHours(1)), new(100, TimeSpan.FromMinutes(5))];

    /// <summary>The most groups per region.</summary>
    public int MaxGroupsPerRegion { get; init; } = 100;

    /// <summary>The most cores per region; each group counts as at least one.</summary>
    public double MaxCoresPerRegion { get; init; } = 100;

    /// <summary>Go through generic resources also where the package for container groups is compiled in.</summary>
    public bool GenericResources { get; init; }

    /// <summary>Resource Manager of another cloud, or a stand-in on this machine over plain http; null for Azure's public cloud.</summary>
    public Uri? ArmEndpoint { get; init; }

    /// <summary>How often what exists is compared with the inventory.</summary>
    public TimeSpan SweepInterval { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>How long a group of ours that no function claims is left alone before it is deleted.</summary>
    public TimeSpan OrphanGrace { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>How long a group may take from PUT to running before it is given up and deleted.</summary>
    public TimeSpan ProvisionTimeout { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>How long a deletion may take before it is asked for again.</summary>
    public TimeSpan DeleteTimeout { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>The first pause between two looks at a long-running operation; grows by half each time, up to 5 s. A longer Retry-After goes first.</summary>
    public TimeSpan PollDelay { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>For how long a region is passed over that has no room, or throttles without saying for how long.</summary>
    public TimeSpan FullPause { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Tries after the first one, for transport errors and 5xx.</summary>
    public int MaxRetries { get; init; } = 3;

    /// <summary>The pause before the first retry; doubles with each, with jitter.</summary>
    public TimeSpan RetryDelay { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>Where the jitter comes from, 0 to 1; null for a shared random source.</summary>
    [JsonIgnore]
    public Func<double>? Randomizer { get; init; }
}

/// <summary>A resource group and its region.</summary>
/// <param name="ResourceGroup">The resource group's name; it exists already.</param>
/// <param name="Region">Where its container groups run, for example <c>westeurope</c>.</param>
public sealed record AciPlace(string ResourceGroup, string Region);
