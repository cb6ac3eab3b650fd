using System.Globalization;

namespace FuncScaler.SlotBackends.Aci;

/// <summary>The tags that say whose a container group is and what for: the inventory that outlives the scaler's process.</summary>
internal static class AciTags
{
    public const string Prefix = "funcscaler-";
    public const string Owner = Prefix + "owner";
    public const string Run = Prefix + "run";
    public const string Ticket = Prefix + "ticket";
    public const string Function = Prefix + "function";
    public const string Runtime = Prefix + "runtime";
    public const string Memory = Prefix + "memory-mb";
    public const string Timeout = Prefix + "timeout-s";
    public const string Created = Prefix + "created";

    private const int LongestValue = 256;

    /// <summary>The tags of a new group. What is too long for a tag is left out: such a group cannot be adopted, only deleted.</summary>
    public static Dictionary<string, string> Of(AciOptions options, string run, SlotTicket ticket, FunctionMeta function, DateTimeOffset now)
    {
        var tags = new Dictionary<string, string>(options.Tags)
        {
            [Owner] = options.Owner,
            [Run] = run,
            [Ticket] = ticket.ToString(),
            [Created] = now.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture),
        };
        if (function.Key.Value.Length is > 0 and <= LongestValue && function.Runtime.Length <= LongestValue)
        {
            tags[Function] = function.Key.Value;
            tags[Runtime] = function.Runtime;
            tags[Memory] = function.MemoryMb.ToString(CultureInfo.InvariantCulture);
            tags[Timeout] = function.TimeoutSeconds.ToString(CultureInfo.InvariantCulture);
        }

        return tags;
    }

    /// <summary>Whether a group is this owner's.</summary>
    public static bool IsOf(IReadOnlyDictionary<string, string> tags, string owner) =>
        tags.TryGetValue(Owner, out var value) && value == owner && tags.ContainsKey(Run) && tags.ContainsKey(Ticket);

    /// <summary>The ticket, when the group is of this run; else 0.</summary>
    public static SlotTicket TicketOf(IReadOnlyDictionary<string, string> tags, string run) =>
        tags.GetValueOrDefault(Run) == run && long.TryParse(tags.GetValueOrDefault(Ticket), NumberStyles.None, CultureInfo.InvariantCulture, out var ticket)
            ? new SlotTicket(ticket)
            : default;

    /// <summary>The function a group was created for; null when its tags do not tell.</summary>
    public static FunctionMeta? FunctionOf(IReadOnlyDictionary<string, string> tags) =>
        tags.TryGetValue(Function, out var key) && key.Length > 0
        && int.TryParse(tags.GetValueOrDefault(Memory), NumberStyles.None, CultureInfo.InvariantCulture, out var memory) && memory > 0
        && int.TryParse(tags.GetValueOrDefault(Timeout), NumberStyles.None, CultureInfo.InvariantCulture, out var timeout)
            ? new FunctionMeta(new MetaKey(key), tags.GetValueOrDefault(Runtime) ?? "", timeout, memory)
            : null;
}
