using System.Text.Json.Serialization;

namespace FuncScaler.Model;

/// <summary>
/// The scaler's number for a slot, given before the backend is asked to create it, so that the intent has a name even when the
/// answer is lost. Never used twice by one scaler.
/// </summary>
[JsonConverter(typeof(SlotTicketConverter))]
public readonly record struct SlotTicket(long Value)
{
    public override string ToString() => Value.ToString(System.Globalization.CultureInfo.InvariantCulture);
}
