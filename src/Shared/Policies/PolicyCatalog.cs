using System.Globalization;

namespace FuncScaler.Policies;

/// <summary>A policy as chosen by its name and option, for example <c>ttl:300</c>: makes one policy per function.</summary>
/// <param name="Name">The choice in full, as printed in tables.</param>
/// <param name="Create">Makes the policy of one function; all from one choice may share state.</param>
public sealed record PolicyChoice(string Name, Func<FunctionMeta, IKeepAlivePolicy> Create);

/// <summary>The policies by name.</summary>
public static class PolicyCatalog
{
    /// <summary>The policy used where none is named.</summary>
    public const string Default = "ttl:9";

    private static readonly PolicyEntry[] Entries =
    [
        new("direct", "", "an instance for every request, destroyed on release", Fixed(_ => new DirectPolicy())),
        new("ttl", "S", "keeps idle instances S seconds (300 if not given)", Seconds(300, s => new TtlPolicy(new TtlPolicyOptions(s)))),
        new("capped", "S", "ttl (60 s) with at most 10 idle instances, 1 from 2 GB on", Seconds(60, s => new CappedPolicy(new CappedPolicyOptions(s)))),
    ];

    /// <summary>Every policy: name, option, and what it does.</summary>
    public static IReadOnlyList<PolicyEntry> All => Entries;

    /// <summary>Reads a choice such as <c>capped</c> or <c>ttl:9</c>.</summary>
    /// <exception cref="FormatException">No such policy, or an option it does not take; the message says what there is.</exception>
    public static PolicyChoice Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var colon = text.IndexOf(':', StringComparison.Ordinal);
        var name = (colon < 0 ? text : text[..colon]).Trim();
        var option = colon < 0 ? null : text[(colon + 1)..].Trim();
        var entry = Array.Find(Entries, e => e.Name == name)
            ?? throw new FormatException($"There is no policy '{name}'. Choose one of: {string.Join(", ", Entries.Select(e => e.Usage))}.");
        if (option is not null && entry.Option.Length == 0)
        {
            throw new FormatException($"Policy '{name}' takes no option; write '{name}' instead of '{text}'.");
        }

        return new PolicyChoice(text, entry.Make(option));
    }

    private static Func<string?, Func<FunctionMeta, IKeepAlivePolicy>> Fixed(Func<FunctionMeta, IKeepAlivePolicy> create) => _ => create;

    private static Func<string?, Func<FunctionMeta, IKeepAlivePolicy>> Seconds(double otherwise, Func<double, IKeepAlivePolicy> create) => option =>
    {
        var seconds = otherwise;
        if (option is not null
            && !(double.TryParse(option, NumberStyles.Float, CultureInfo.InvariantCulture, out seconds) && seconds is >= 0 and <= 31_536_000))
        {
            throw new FormatException($"'{option}' is not a number of seconds from 0 to a year (31536000).");
        }

        return _ => create(seconds);
    };
}

/// <summary>A policy in the catalog.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Option">What may follow the name after a colon; empty for nothing.</param>
/// <param name="Summary">What it does, in a line.</param>
/// <param name="Make">Makes the per-function factory from the option.</param>
public sealed record PolicyEntry(string Name, string Option, string Summary, Func<string?, Func<FunctionMeta, IKeepAlivePolicy>> Make)
{
    /// <summary>The name with its option, for example <c>ttl[:S]</c>.</summary>
    public string Usage => Option.Length == 0 ? Name : $"{Name}[:{Option}]";
}
