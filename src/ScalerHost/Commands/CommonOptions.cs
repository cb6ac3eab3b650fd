using System.CommandLine;
using System.CommandLine.Completions;
using System.Globalization;
using System.Net;
using FuncScaler.ContestSimulator.Virtual;
using FuncScaler.Policies;
using FuncScaler.SlotBackends.Settings;

namespace FuncScaler.ScalerHost.Commands;

/// <summary>What a second of waiting is worth, GB·s; null for auto. The parser of options cannot tell a null value from none.</summary>
internal readonly record struct GivenPrice(double? Gbs)
{
    /// <summary>As it is written on the command line.</summary>
    public override string ToString() => Gbs?.ToString(CultureInfo.InvariantCulture) ?? WaitingPrice.Auto;
}

/// <summary>Options that several commands share, so that they read and mean the same everywhere.</summary>
internal static class CommonOptions
{
    /// <summary>The longest time of what happens in real time, s: eleven days.</summary>
    public const double LongestRealSeconds = 1e6;

    public static Option<string> Policy() => new("--policy")
    {
        Description = "How instances are kept: " + string.Join("; ", PolicyCatalog.All.Select(p => $"{p.Usage}, {p.Summary}")),
        HelpName = "P",
        DefaultValueFactory = _ => PolicyCatalog.Default,
        CompletionSources = { PolicyNames },
    };

    /// <summary>The policies' names, for the completion of shells.</summary>
    public static IEnumerable<CompletionItem> PolicyNames(CompletionContext context) => PolicyCatalog.All.Select(p => new CompletionItem(p.Name, documentation: p.Summary));

    /// <summary>What a second of a caller's waiting is worth.</summary>
    /// <param name="otherwise">The price where none is given; null for the contest's.</param>
    /// <param name="more">What the command does with a price besides.</param>
    public static Option<GivenPrice> LatencyPrice(double? otherwise, string more = "") => Default(Read<GivenPrice>(
        "--latency-price",
        "What one second of a caller's waiting is worth to policies that weigh it, GB·s of memory time; auto: as the contest's score weighs it" + more,
        "auto|X",
        static (string text, out GivenPrice price) =>
        {
            var isPrice = WaitingPrice.TryParse(text, out var gbs);
            price = new GivenPrice(gbs);
            return isPrice;
        },
        "is neither auto nor a price",
        "give auto, or 0 to 1000000000 GB·s per second of waiting"), new GivenPrice(otherwise));

    public static Option<int> Port(string name, string description, int otherwise) =>
        Whole(name, description, otherwise, 0, IPEndPoint.MaxPort, "is no port", $"give 0, for any free one, to {IPEndPoint.MaxPort}");

    /// <summary>A port of something that is served where it is given.</summary>
    public static Option<long?> OptionalPort(string name, string description) =>
        OptionalWhole(name, description, 0, IPEndPoint.MaxPort, "is no port", $"give 0, for any free one, to {IPEndPoint.MaxPort}");

    /// <summary>A whole number where one is given, from 0 or more on; null otherwise.</summary>
    public static Option<long?> OptionalWhole(string name, string description, long least, long most, string wrong, string mend) => Read(
        name,
        description,
        "N",
        (string text, out long? value) =>
        {
            value = long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= least && number <= most ? number : null;
            return value is not null;
        },
        wrong,
        mend);

    public static Option<IPAddress> Listen(string description) => Default(
        Read<IPAddress>(
            "--listen",
            description,
            "IP",
            static (string text, out IPAddress? address) => IPAddress.TryParse(text, out address),
            "is no IP address",
            "write for example 127.0.0.1 or 0.0.0.0"),
        IPAddress.Loopback);

    /// <summary>A time in seconds.</summary>
    public static Option<double?> Seconds(string name, string description, double least = 0, double most = 1e9) => Read<double?>(
        name,
        description,
        "S",
        (string text, out double? seconds) => IsNumber(text, least, most, out seconds),
        "is no number of seconds that can be used",
        string.Create(CultureInfo.InvariantCulture, $"give {least:0.###} to {most:0}, as a number alone"));

    /// <summary>A price, or another amount of 0 to 10⁹.</summary>
    public static Option<double?> Amount(string name, string description, string help) => Read<double?>(
        name,
        description,
        help,
        static (string text, out double? amount) => IsNumber(text, 0, 1e9, out amount),
        "is no amount that can be used",
        "give 0 to 1000000000, as a number alone");

    /// <summary>A whole number.</summary>
    public static Option<int> Whole(string name, string description, int otherwise, int least, int most, string wrong, string mend) => Default(
        Read(
            name,
            description,
            "N",
            (string text, out int number) => int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out number) && number >= least && number <= most,
            wrong,
            mend),
        otherwise);

    public static Option<long> Seed(string description) => Default(
        Read(
            "--seed",
            description,
            "N",
            static (string text, out long seed) => long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out seed),
            "is no seed",
            "give a whole number of at most 18 digits"),
        1);

    /// <summary>The path of a file or a folder; relative to where the command runs.</summary>
    public static Option<string> Path(string name, string description, string help) => Read<string>(
        name,
        description,
        help,
        static (string text, out string? path) => !string.IsNullOrWhiteSpace(path = text) && !text.Contains('\0', StringComparison.Ordinal),
        "is no path",
        "write where the file or folder is");

    /// <summary>The same for an option that may be given more than once.</summary>
    public static Option<string[]> Paths(string name, string description, string help) => new(name)
    {
        Description = description,
        HelpName = help,
        CustomParser = result =>
        {
            string[] paths = [.. result.Tokens.Select(t => t.Value)];
            foreach (var path in paths.Where(p => string.IsNullOrWhiteSpace(p) || p.Contains('\0', StringComparison.Ordinal)))
            {
                result.AddError(SettingErrors.Sentence(name, path, "is no path", "write where the file or folder is"));
            }

            return paths;
        },
    };

    /// <summary>"host:port" or an http(s) address.</summary>
    public static Option<Uri> Address(string name, string description, string help = "ADDR") => Read<Uri>(
        name,
        description,
        help,
        static (string text, out Uri? address) =>
        {
            var hasScheme = text.Contains("://", StringComparison.Ordinal);
            return Uri.TryCreate(hasScheme ? text : "http://" + text, UriKind.Absolute, out address)
                && address.Scheme is "http" or "https"
                && address.Host.Length > 0
                && (hasScheme || !address.IsDefaultPort || text.EndsWith(":80", StringComparison.Ordinal));
        },
        "is no address",
        "write host:port, for example 127.0.0.1:50051");

    public static Option<double?> RpcMs() => Read<double?>(
        "--rpc-ms",
        "What callers wait for the wire and the scaler per request, Assign and Idle together, ms [default: 0.3]",
        "MS",
        static (string text, out double? ms) => IsNumber(text, 0, 1e6, out ms),
        "is no number of milliseconds that can be used",
        "give 0 to 1000000");

    /// <summary>The option with what it is where it is not given.</summary>
    public static Option<T> Default<T>(Option<T> option, T otherwise)
    {
        option.DefaultValueFactory = _ => otherwise;
        return option;
    }

    /// <summary>The cost model with what <see cref="RpcMs"/> says.</summary>
    public static VirtualOptions ReadRpcMs(ParseResult parsed, Option<double?> option, VirtualOptions options)
    {
        var ms = parsed.GetValue(option) ?? 0.3;
        var assignUs = (long)(ms * 1000 * 2 / 3);
        return options with { AssignRpcUs = assignUs, IdleRpcUs = (long)(ms * 1000) - assignUs };
    }

    /// <exception cref="CommandException">There is no such policy.</exception>
    public static PolicyChoice ParsePolicy(string text) => ParsePolicy(text, PolicyCatalog.All);

    /// <exception cref="CommandException">There is no such policy among these.</exception>
    public static PolicyChoice ParsePolicy(string text, IReadOnlyList<PolicyEntry> among)
    {
        try
        {
            return PolicyCatalog.Parse(text, among);
        }
        catch (FormatException e)
        {
            var name = text.Split(':')[0];
            var names = PolicyCatalog.All.Select(p => p.Name);
            var meant = names.Contains(name, StringComparer.Ordinal) ? "" : Nearest.Question(name, names);
            var question = meant.Length == 0 ? "" : char.ToUpperInvariant(meant[0]) + meant[1..];
            throw new CommandException(CommandException.BadUsage, $"--policy '{RemoteWords.Clean(text)}' cannot be read: {question}{e.Message}", e);
        }
    }

    public delegate bool Reader<T>(string text, out T? value);

    private static bool IsNumber(string text, double least, double most, out double? number)
    {
        var isNumber = double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var value) && value >= least && value <= most;
        number = isNumber ? value : null;
        return isNumber;
    }

    /// <summary>
    /// The one way in which options are read: what cannot be read is an error of <see cref="SettingErrors"/>'s form, before anything is begun.
    /// </summary>
    public static Option<T> Read<T>(string name, string description, string help, Reader<T> read, string wrong, string mend) => new(name)
    {
        Description = description,
        HelpName = help,
        CustomParser = result =>
        {
            var text = result.Tokens[0].Value;
            if (!read(text, out var value))
            {
                result.AddError(SettingErrors.Sentence(name, text, wrong, mend));
            }

            return value;
        },
    };
}
