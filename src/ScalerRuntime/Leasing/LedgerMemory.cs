using FuncScaler.Learned;
using Microsoft.Extensions.Logging;

namespace FuncScaler.Runtime.Leasing;

/// <summary>
/// What workers before this one have learned of functions, as their ledgers had it when this worker began, and what this one has learned of
/// functions that it has forgotten since. Used with the executor's lock held.
/// </summary>
internal sealed partial class LedgerMemory(ILogger logger) : ILearnedMemory
{
    /// <summary>The most functions that are kept here; of 4 KB each at most.</summary>
    public const int MostFunctions = 20_000;

    private readonly ILogger _logger = logger;
    private readonly Dictionary<MetaKey, LearnedBytes> _functions = [];

    /// <summary>Functions of which something is known.</summary>
    public int Count => _functions.Count;

    public LearnedBytes? Shared => null;

    public LearnedBytes? Find(MetaKey function) => _functions.Remove(function, out var learned) ? learned : null;

    public void Keep(MetaKey function, LearnedBytes learned)
    {
        if (_functions.Count < MostFunctions || _functions.ContainsKey(function))
        {
            _functions[function] = learned;
        }
    }

    public void Ignored(MetaKey function, string why) => LogIgnored(function.Value, why);

    [LoggerMessage(126, LogLevel.Warning, "What was learned of function {Function} cannot be read, so the worker begins without it: {Reason}")]
    private partial void LogIgnored(string function, string reason);
}
