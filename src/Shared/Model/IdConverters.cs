using System.Text.Json;
using System.Text.Json.Serialization;

namespace FuncScaler.Model;

/// <summary>Ids stand in JSON as what they are, a string or a number, whichever serialiser reads the attribute on their type.</summary>
internal abstract class TextIdConverter<T>(Func<string, T> make, Func<T, string?> text) : JsonConverter<T>
    where T : struct
{
    public override T Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType == JsonTokenType.Null ? default : make(reader.GetString()!);

    public override void Write(Utf8JsonWriter writer, T value, JsonSerializerOptions options) => writer.WriteStringValue(text(value));

    public override bool HandleNull => true;
}

internal sealed class MetaKeyConverter() : TextIdConverter<MetaKey>(t => new MetaKey(t), id => id.Value);

internal sealed class RequestIdConverter() : TextIdConverter<RequestId>(t => new RequestId(t), id => id.Value);

internal sealed class InstanceIdConverter() : TextIdConverter<InstanceId>(t => new InstanceId(t), id => id.Value);

internal sealed class BackendSlotIdConverter() : TextIdConverter<BackendSlotId>(t => new BackendSlotId(t), id => id.Value);

internal sealed class SlotTicketConverter : JsonConverter<SlotTicket>
{
    public override SlotTicket Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => new(reader.GetInt64());

    public override void Write(Utf8JsonWriter writer, SlotTicket value, JsonSerializerOptions options) => writer.WriteNumberValue(value.Value);
}
