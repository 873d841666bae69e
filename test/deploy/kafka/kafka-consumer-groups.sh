#!/usr/bin/env bash
# shellcheck disable=SC2086  # options, several
exec java -XX:-UsePerfData -XX:TieredStopAtLevel=1 ${KAFKA_HEAP_OPTS:-} -cp '/opt/kafka/libs/*' org.apache.kafka.tools.consumer.group.ConsumerGroupCommand "$@"
