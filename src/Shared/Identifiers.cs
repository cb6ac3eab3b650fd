using System.Text.Json.Serialization;
using FuncScaler.Leasing;

namespace FuncScaler;

/// <summary>The key that identifies a function: the contract's <c>metaKey</c>.</summary>
[JsonConverter(typeof(MetaKeyConverter))]
public readonly record struct MetaKey(string Value)
{
    public override string ToString() => Value;
}

/// <summary>The caller's id of one request. Unique while the request lives: from Assign until its Release.</summary>
[JsonConverter(typeof(RequestIdConverter))]
public readonly record struct RequestId(string Value)
{
    public override string ToString() => Value;
}

/// <summary>The id of an instance, chosen by the scaler and given to Init.</summary>
[JsonConverter(typeof(InstanceIdConverter))]
public readonly record struct InstanceId(string Value)
{
    public override string ToString() => Value;
}

/// <summary>The backend's own id of a slot, known once CreateSlot has answered.</summary>
[JsonConverter(typeof(BackendSlotIdConverter))]
public readonly record struct BackendSlotId(string Value)
{
    public override string ToString() => Value;
}

/// <summary>
/// The scaler's number for a slot, given before the backend is asked to create it, so that the intent has a name even when the
/// answer is lost. Never used twice by one scaler.
/// </summary>
[JsonConverter(typeof(SlotTicketConverter))]
public readonly record struct SlotTicket(long Value)
{
    public override string ToString() => Value.ToString(System.Globalization.CultureInfo.InvariantCulture);
}

/// <summary>What the scaler is told about a function.</summary>
/// <param name="Key">The function.</param>
/// <param name="Runtime">The language runtime's name, for example "python"; may be empty.</param>
/// <param name="TimeoutSeconds">How long one execution may take, s; 0 when unlimited or unknown.</param>
/// <param name="MemoryMb">The memory of each of its slots, MB; at least 1.</param>
public sealed record FunctionMeta(MetaKey Key, string Runtime, int TimeoutSeconds, int MemoryMb)
{
    /// <summary>The memory of one slot, GB (1 GB = 1024 MB, as the contest counts).</summary>
    public double MemoryGb => MemoryMb / 1024.0;
}
