using System.Text.Json.Serialization;

namespace FuncScaler.Model;

/// <summary>The backend's own id of a slot, known once CreateSlot has answered.</summary>
[JsonConverter(typeof(BackendSlotIdConverter))]
public readonly record struct BackendSlotId(string Value)
{
    public override string ToString() => Value;
}
