using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using FuncScaler.Leasing;
using FuncScaler.Policies;
using FuncScaler.Runtime.Security;
using FuncScaler.SlotBackends.Settings;

namespace FuncScaler.ScalerFunctions.Hosting;

/// <summary>The app's settings, section <c>Scaler</c>; docs/reference/azure-app.md has them in a table.</summary>
public sealed class ScalerAppOptions
{
    /// <summary>The most requests of one function that wait at a worker; twice as many of all.</summary>
    private const int MostWaiting = 10_000;

    private static readonly ImmutableDictionary<string, double?> NoPrices = ImmutableDictionary<string, double?>.Empty;

    /// <summary>The configuration section.</summary>
    public const string Section = "Scaler";

    /// <summary>Where slots come from: <c>simulator</c>, the contest's platform, or <c>aci</c>, Azure Container Instances.</summary>
    public string Backend { get; set; } = "simulator";

    /// <summary>With <c>aci</c>: its settings as a JSON object, the same as the self-host's <c>--aci</c> file. Not set by default.</summary>
    public string BackendSettings { get; set; } = "";

    /// <summary>With <c>simulator</c>: the platform's address, host:port.</summary>
    public string Platform { get; set; } = "127.0.0.1:50051";

    /// <summary>How instances are kept, for example <c>ttl:9</c>.</summary>
    public string Policy { get; set; } = PolicyCatalog.Default;

    /// <summary>
    /// What one second of a caller's waiting is worth, GB·s of memory time, to policies that weigh the two, 0 to 10⁹; or <c>auto</c>, as the
    /// contest's score weighs them. docs/how-to/choose-a-price.md says how to choose.
    /// </summary>
    public string LatencyPrice { get; set; } = WaitingPrice.Published.ToString(CultureInfo.InvariantCulture);

    /// <summary>The same for single functions: a JSON object with their keys. Not set by default.</summary>
    public string LatencyPrices { get; set; } = "";

    /// <summary>
    /// Where the worker's own Functions host listens: a worker that serves native gRPC asks it for its first invocation, because only an
    /// invocation tells how to reach the ledgers.
    /// </summary>
    public string HostUrl { get; set; } = "http://127.0.0.1:7071";

    /// <summary>How long a stopping worker waits for instances in use before it hands them over. Less than the host's own patience.</summary>
    public TimeSpan DrainTimeout { get; set; } = TimeSpan.FromSeconds(3);

    /// <summary>How long a worker's slots are held for it after its last sign of life, s.</summary>
    public double LeaseSeconds { get; set; } = 30;

    /// <summary>How often a worker reports what can wait, s.</summary>
    public double ReportSeconds { get; set; } = 1;

    /// <summary>After this long unused at a worker an instance goes back to its ledger, for all workers, s.</summary>
    public double ParkSeconds { get; set; } = 60;

    /// <summary>How long a request may hold an instance that a worker creates before it has told anybody of the function's time-out, s.</summary>
    public double HoldAheadSeconds { get; set; } = 3660;

    /// <summary>The most slots of one function, over all workers; 0 for no limit.</summary>
    public int MaxSlotsPerFunction { get; set; }

    /// <summary>Slots created ahead at once before the rate limit counts.</summary>
    public int CreateBurst { get; set; } = 20;

    /// <summary>Slots created ahead per minute, per function.</summary>
    public double CreatesPerMinute { get; set; } = 20;

    /// <summary>
    /// How long the history of an orchestration is kept after its end, 30 min to 90 days. Default one day, to look into failures. It must be
    /// longer than a provisioning may begin late (15 min): then a second run of the same name touches no slot.
    /// </summary>
    public TimeSpan HistoryKept { get; set; } = TimeSpan.FromDays(1);

    /// <summary>The most histories that one run of the purge deletes, 1 to 100000. Default 2000; it runs every 10 minutes.</summary>
    public int MaxPurgesPerRun { get; set; } = 2000;

    /// <summary>
    /// The SHA-256 of the operator's key, 64 hexadecimal digits, as <c>funcscaler token</c> prints it: who sends the key may have instances
    /// provisioned. Not set by default: then nobody may. The key itself stands nowhere.
    /// </summary>
    public string OperatorKeySha256 { get; set; } = "";

    /// <summary>The most instances of one function that an operator may have provisioned, 0 to 1000. Default 100.</summary>
    public int MaxProvisioned { get; set; } = 100;

    /// <summary>
    /// Limits of single functions: a JSON object, the same as the file of the self-host's <c>--limits</c>. docs/how-to/limits.md has it. Not set by
    /// default.
    /// </summary>
    public string Limits { get; set; } = "";

    /// <summary>The same in a file, for example on a mounted share: it is read anew every ten seconds. Not set by default.</summary>
    public string LimitsFile { get; set; } = "";

    /// <summary>Native gRPC in the worker, beside the triggers.</summary>
    public GrpcPortOptions Grpc { get; set; } = new();

    /// <summary>The price of all functions, GB·s; null for the contest's. A setting that is empty is not set.</summary>
    internal double? PriceGbs =>
        string.IsNullOrWhiteSpace(LatencyPrice) ? WaitingPrice.Published : WaitingPrice.TryParse(LatencyPrice, out var price) ? price : null;

    /// <summary>The prices of single functions, GB·s; null where the text is none.</summary>
    internal static IReadOnlyDictionary<string, double?>? ReadPrices(string text)
    {
        if (string.IsNullOrWhiteSpace(text))
        {
            return NoPrices;
        }

        var prices = ImmutableDictionary.CreateBuilder<string, double?>();
        try
        {
            foreach (var (key, value) in JsonNode.Parse(text)?.AsObject() ?? [])
            {
                if (!WaitingPrice.TryParse(value?.ToString(), out var price))
                {
                    return null;
                }

                prices[key] = price;
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or ArgumentException)
        {
            return null;
        }

        return prices.ToImmutable();
    }

    /// <summary>What workers and ledgers agree on.</summary>
    /// <param name="limits">What the backend needs.</param>
    internal LeasingOptions ToLeasing(BackendLimits limits) => new()
    {
        Pool = limits.Apply(new SlotPoolOptions
        {
            MaxSlots = MaxSlotsPerFunction,
            MaxWaiting = MostWaiting,
            MaxWaitingInTotal = 2 * MostWaiting,
            LatencyPriceGbs = PriceGbs,
            LatencyPricesGbs = ReadPrices(LatencyPrices) ?? NoPrices,
        }),
        Lease = TimeSpan.FromSeconds(LeaseSeconds),
        ReportInterval = TimeSpan.FromSeconds(ReportSeconds),
        ParkAfter = TimeSpan.FromSeconds(ParkSeconds),
        HoldAhead = TimeSpan.FromSeconds(HoldAheadSeconds),
        CreateBurst = CreateBurst,
        CreatesPerMinute = CreatesPerMinute,
    };
}

/// <summary>The port of the worker's own gRPC server, section <c>Scaler:Grpc</c>.</summary>
public sealed class GrpcPortOptions
{
    /// <summary>The port; 0 for any free one; none when not set, as on plans whose front end passes no HTTP/2.</summary>
    public int? Port { get; set; }

    /// <summary>
    /// The IP address to listen on. Beyond loopback something must say who may call (<see cref="Key"/>, <see cref="Tls"/> with authorities, or
    /// <see cref="AllowAnonymous"/>), and how it is kept secret (<see cref="Tls"/> or <see cref="TlsInFront"/>).
    /// </summary>
    public string Address { get; set; } = "127.0.0.1";

    /// <summary>The fewest characters of a key: 192 random bits in base64.</summary>
    public const int ShortestKey = 32;

    /// <summary>
    /// What callers send in the metadata <c>x-functions-key</c>, at least 32 characters. When it is not set, anybody may call, or with
    /// <see cref="TlsFiles.ClientAuthorities"/> whoever shows one of their certificates.
    /// </summary>
    public string? Key { get; set; }

    /// <summary>Says that beyond loopback, too, anybody may call: because something in front asks callers who they are.</summary>
    public bool AllowAnonymous { get; set; }

    /// <summary>
    /// The certificate with which the port speaks TLS; none when not set. The files are read anew every ten seconds, and new connections see what has
    /// changed. A caller that shows a certificate of <see cref="TlsFiles.ClientAuthorities"/> needs no key.
    /// </summary>
    public TlsFiles? Tls { get; set; }

    /// <summary>Says that beyond loopback no TLS is needed: because something in front speaks it, or nobody outside the environment reaches the port.</summary>
    public bool TlsInFront { get; set; }

    /// <summary>Whether callers are asked who they are.</summary>
    internal bool AsksCallers => !string.IsNullOrEmpty(Key) || Tls?.ClientAuthorities is not null;

    /// <summary>Reads the files of <see cref="Tls"/>.</summary>
    /// <exception cref="BackendSettingsException">They cannot be read, or are of no use.</exception>
    internal (TlsSettings Settings, string Version) ReadTls()
    {
        var files = new SettingsFiles(Environment.CurrentDirectory);
        return (Tls!.Read(files, TlsName), files.Version);
    }

    /// <summary>A setting of <see cref="Tls"/> as operators write it.</summary>
    internal static string TlsName(string name) => $"Scaler:Grpc:Tls:{name}";
}
