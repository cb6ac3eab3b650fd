using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace FuncScaler.SlotBackends.Settings;

/// <summary>
/// Reads settings from JSON, the same way for every file and variable: comments and trailing commas are welcome; unknown names, nulls and
/// times without a unit that one could take for another are not.
/// </summary>
public static class SettingsJson
{
    private static readonly JsonSerializerOptions Format = new(JsonSerializerDefaults.Web)
    {
        AllowTrailingCommas = true,
        ReadCommentHandling = JsonCommentHandling.Skip,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        RespectNullableAnnotations = true,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase, allowIntegerValues: false), new DurationConverter() },
    };

    /// <summary>Reads settings.</summary>
    /// <exception cref="FormatException">The text is not JSON, or not of this shape; the message says where and what is wrong.</exception>
    public static T Read<T>(string json)
        where T : class
    {
        try
        {
            return JsonSerializer.Deserialize<T>(json, Format) ?? throw new FormatException("null stands where a JSON object with the settings should.");
        }
        catch (JsonException e)
        {
            var line = e.LineNumber is { } number ? $"line {number + 1}" : "the text";
            throw new FormatException($"{line}: {e.Message.Split(" Path:")[0].TrimEnd('.')} (at {e.Path ?? "$"}).", e);
        }
    }

    /// <summary>Adds an error where a time is outside its range.</summary>
    public static void CheckRange(ICollection<string> errors, string setting, TimeSpan value, TimeSpan least, TimeSpan most)
    {
        ArgumentNullException.ThrowIfNull(errors);
        if (value < least || value > most)
        {
            errors.Add(string.Create(CultureInfo.InvariantCulture, $"{setting} is {value}: give a time from {least} to {most}, as \"00:00:03\" or \"3s\" for three seconds."));
        }
    }

    /// <summary>
    /// Times as "3s", "250ms", "2m", "1h" or "00:00:03". A bare number is seconds, also in quotes: .NET reads "3" as three days.
    /// </summary>
    private sealed class DurationConverter : JsonConverter<TimeSpan>
    {
        public override TimeSpan Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
        {
            if (reader.TokenType == JsonTokenType.Number && reader.TryGetDouble(out var seconds) && Math.Abs(seconds) < 1e9)
            {
                return TimeSpan.FromSeconds(seconds);
            }

            return reader.TokenType == JsonTokenType.String && Durations.TryParse(reader.GetString(), out var value)
                ? value
                : throw new JsonException("A time is wanted here: write \"3s\", \"250ms\", \"2m\", \"1h\" or \"00:00:03\"");
        }

        public override void Write(Utf8JsonWriter writer, TimeSpan value, JsonSerializerOptions options) =>
            writer.WriteStringValue(value.ToString("c", CultureInfo.InvariantCulture));
    }
}
