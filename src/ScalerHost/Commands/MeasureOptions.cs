using System.CommandLine;
using FuncScaler.ContestSimulator.Reports;
using FuncScaler.SlotBackends.Settings;

namespace FuncScaler.ScalerHost.Commands;

/// <summary>The options that say what memory, waits and creates are worth, and by which measure policies are sorted.</summary>
internal sealed class MeasureOptions
{
    private readonly Option<double?> _createCost = CommonOptions.Amount(
        "--create-cost", "What each create costs beyond its memory, GB·s; counts in cost and money [default: 0]", "GBS");

    private readonly Option<double?> _gbSecond = CommonOptions.Amount(
        "--gb-second", "What a GB·s costs, in any currency: adds the measure money (AWS Lambda: 0.0000166667 USD)", "MONEY");

    private readonly Option<double?> _waitingSecond = CommonOptions.Amount(
        "--waiting-second", "What a second of a caller's waiting costs, in the same currency [default: 0]", "MONEY");

    private readonly Option<string?> _sortBy = new("--sort-by")
    {
        Description = "The measure to sort by: score, cost (with --latency-price), money (with --gb-second), or another field of --json [default: score, or cost where there is a price]",
        HelpName = "MEASURE",
    };

    public IReadOnlyList<Option> All => [_createCost, _gbSecond, _waitingSecond, _sortBy];

    /// <summary>What was asked for.</summary>
    /// <exception cref="CommandException">There is no such measure, or a price that it needs is missing.</exception>
    public (MeasurePrices Prices, Measure SortBy) Read(ParseResult parsed, double? latencyPriceGbs)
    {
        var prices = new MeasurePrices
        {
            LatencyPriceGbs = latencyPriceGbs,
            CreateCostGbs = parsed.GetValue(_createCost) ?? 0,
            GbSecondPrice = parsed.GetValue(_gbSecond),
            WaitingSecondPrice = parsed.GetValue(_waitingSecond) ?? 0,
        };
        if (prices.GbSecondPrice == 0)
        {
            throw new CommandException(CommandException.BadUsage, SettingErrors.Sentence("--gb-second", 0, "gives memory no price", "give more than 0"));
        }

        if (prices.GbSecondPrice is null && parsed.GetValue(_waitingSecond) is not null)
        {
            throw new CommandException(CommandException.BadUsage, "--waiting-second needs --gb-second: money weighs the two.");
        }

        var measures = Measures.All(prices);
        var name = parsed.GetValue(_sortBy) ?? (latencyPriceGbs is null ? "score" : "cost");
        return measures.FirstOrDefault(m => m.Name == name) is { } measure
            ? (prices, measure)
            : throw new CommandException(CommandException.BadUsage, SettingErrors.Sentence(
                "--sort-by", name, "is no measure of this run", $"choose one of {string.Join(", ", measures.Select(m => m.Name))}; cost needs --latency-price, money --gb-second"));
    }
}
