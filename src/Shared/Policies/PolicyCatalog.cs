using System.Globalization;

namespace FuncScaler.Policies;

/// <summary>A policy as chosen by its name and option, for example <c>ttl:300</c>.</summary>
/// <param name="Name">The choice in full, as printed in tables.</param>
/// <param name="Begin">Called once per scaler; makes the policy of each function. What those share is made here.</param>
public sealed record PolicyChoice(string Name, Func<IPolicyHost, Func<FunctionMeta, IKeepAlivePolicy>> Begin)
{
    /// <summary>A choice whose policies share nothing.</summary>
    public PolicyChoice(string name, Func<FunctionMeta, IKeepAlivePolicy> create)
        : this(name, _ => create)
    {
    }

    /// <summary>Whether policies of different functions influence each other, so that functions cannot be simulated apart.</summary>
    public bool SharesState { get; init; }
}

/// <summary>What a scaler offers to policies that look beyond one function.</summary>
public interface IPolicyHost
{
    /// <summary>
    /// Has <see cref="IKeepAlivePolicy.Standby"/> of another function's policy called once the present event is dealt with. Does nothing
    /// for a function without a pool.
    /// </summary>
    void RequestReview(MetaKey function);
}

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

        return entry.Make(option) with { Name = text };
    }

    private static Func<string?, PolicyChoice> Fixed(Func<FunctionMeta, IKeepAlivePolicy> create) => _ => new PolicyChoice("", create);

    private static Func<string?, PolicyChoice> Seconds(double otherwise, Func<double, IKeepAlivePolicy> create) => option =>
    {
        var seconds = otherwise;
        if (option is not null
            && !(double.TryParse(option, NumberStyles.Float, CultureInfo.InvariantCulture, out seconds) && seconds is >= 0 and <= 31_536_000))
        {
            throw new FormatException($"'{option}' is not a number of seconds from 0 to a year (31536000).");
        }

        return new PolicyChoice("", _ => create(seconds));
    };
}

/// <summary>A policy in the catalog.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Option">What may follow the name after a colon; empty for nothing.</param>
/// <param name="Summary">What it does, in a line.</param>
/// <param name="Make">Makes the choice from the option; null for no option.</param>
public sealed record PolicyEntry(string Name, string Option, string Summary, Func<string?, PolicyChoice> Make)
{
    /// <summary>The name with its option, for example <c>ttl[:S]</c>.</summary>
    public string Usage => Option.Length == 0 ? Name : $"{Name}[:{Option}]";
}
