using System.Text.Json.Serialization;

namespace FuncScaler.Model;

/// <summary>The id of an instance, chosen by the scaler and given to Init.</summary>
[JsonConverter(typeof(InstanceIdConverter))]
public readonly record struct InstanceId(string Value)
{
    public override string ToString() => Value;
}
