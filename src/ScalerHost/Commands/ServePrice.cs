using System.Collections.Immutable;
using System.CommandLine;
using FuncScaler.Policies;
using FuncScaler.SlotBackends.Settings;

namespace FuncScaler.ScalerHost.Commands;

/// <summary>The options of <c>serve</c> that say what waiting is worth: in GB·s or in money, for all functions and for single ones.</summary>
internal sealed class ServePrice
{
    private readonly Option<GivenPrice> _price = CommonOptions.LatencyPrice(WaitingPrice.Published);

    private readonly Option<double?> _waitingSecond = CommonOptions.Amount(
        "--waiting-second", "Instead of --latency-price: what a second of a caller's waiting costs, in the currency of --gb-second", "MONEY");

    private readonly Option<double?> _gbSecond = CommonOptions.Amount("--gb-second", "What a GB·s of memory time costs (AWS Lambda: 0.0000166667 USD)", "MONEY");

    private readonly Option<string[]> _own = new("--latency-price-of")
    {
        Description = "The price of one function, in place of --latency-price; may be given for each function",
        HelpName = "KEY=auto|X",
        DefaultValueFactory = _ => [],
    };

    public IReadOnlyList<Option> All => [_price, _waitingSecond, _gbSecond, _own];

    /// <summary>The price of all functions, GB·s; null for the contest's.</summary>
    /// <exception cref="CommandException">Two prices are given, or half of one.</exception>
    public double? Read(ParseResult parsed)
    {
        var isGiven = parsed.GetResult(_price) is { Implicit: false };
        if (parsed.GetValue(_waitingSecond) is not { } waiting)
        {
            return parsed.GetValue(_gbSecond) is not null
                ? throw new CommandException(CommandException.BadUsage, "--gb-second needs --waiting-second: the price of waiting is one divided by the other.")
                : parsed.GetValue(_price).Gbs;
        }

        if (isGiven)
        {
            throw new CommandException(CommandException.BadUsage, "--waiting-second and --latency-price are two prices of the same thing: give one of them.");
        }

        if (parsed.GetValue(_gbSecond) is not { } memory)
        {
            throw new CommandException(CommandException.BadUsage, "--waiting-second needs --gb-second: the price of waiting is one divided by the other.");
        }

        if (memory == 0 || waiting / memory > WaitingPrice.Most)
        {
            throw new CommandException(CommandException.BadUsage, SettingErrors.Sentence("--gb-second", memory, "is too little beside --waiting-second", "give more"));
        }

        return waiting / memory;
    }

    /// <summary>Says what waiting is worth, or what is aimed at instead.</summary>
    /// <exception cref="CommandException">A price is given, and the policy has an objective.</exception>
    public string Describe(ParseResult parsed, PolicyChoice policy)
    {
        if (policy.Objective is null)
        {
            return WaitingPrice.Describe(Read(parsed));
        }

        var given = All.FirstOrDefault(option => parsed.GetResult(option) is { Implicit: false });
        return given is null
            ? $"{policy.Objective}; the price of waiting follows from that"
            : throw new CommandException(
                CommandException.BadUsage, $"{given.Name} is of no use with --policy {policy.Name}: the price of waiting follows from its objective. Leave one of them out.");
    }

    /// <summary>The prices of single functions, GB·s.</summary>
    /// <exception cref="CommandException">One cannot be read, or a function has two.</exception>
    public IReadOnlyDictionary<string, double?> ReadOwn(ParseResult parsed)
    {
        var prices = ImmutableDictionary.CreateBuilder<string, double?>();
        foreach (var text in parsed.GetValue(_own)!)
        {
            var split = text.LastIndexOf('=');
            if (split <= 0 || !WaitingPrice.TryParse(text[(split + 1)..], out var price))
            {
                throw new CommandException(
                    CommandException.BadUsage,
                    SettingErrors.Sentence("--latency-price-of", text, "is no price of a function", "write KEY=X with 0 to 1000000000 GB·s per second of waiting, or KEY=auto"));
            }

            if (!prices.TryAdd(text[..split], price))
            {
                throw new CommandException(CommandException.BadUsage, SettingErrors.Sentence("--latency-price-of", text[..split], "has two prices", "give one of them"));
            }
        }

        return prices.ToImmutable();
    }
}
